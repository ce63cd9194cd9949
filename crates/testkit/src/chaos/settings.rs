//! The settings of a run: the scene, the length and the seed, from the environment. `cargo test` gives every test
//! binary the same arguments, so this module also decides whether a scene is selected.

use std::time::Duration;

/// Every scene, and its default length in seconds.
const SCENE_SECONDS: [(&str, u64); 3] = [("selling", 60), ("nodes", 90), ("money", 40)];
pub const SCENES: [&str; 3] = [SCENE_SECONDS[0].0, SCENE_SECONDS[1].0, SCENE_SECONDS[2].0];

#[derive(Debug)]
pub struct ChaosSettings {
    pub scene: &'static str,
    /// How long faults happen. Starting the cluster and the final checks take additional time.
    pub duration: Duration,
    /// The fault plan is a pure function of this and of `duration`.
    pub seed: u64,
    /// For a server that is built with the feature `fault-injection`: the promise that it breaks, so that the run must
    /// fail.
    pub injected_fault: Option<String>,
}

impl ChaosSettings {
    /// The settings of the chosen scene, or of all scenes.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<ChaosSettings>, String> {
        let selected = variable("CHAOS_SCENE");
        if let Some(scene) = selected.as_deref().filter(|scene| !SCENES.contains(scene)) {
            return Err(format!("unknown scene `{scene}`; the scenes are {}", SCENES.join(", ")));
        }
        let number = |name: &str| {
            let text = variable(name);
            text.map(|text| text.parse::<u64>().map_err(|_| format!("{name} must be a whole number, not `{text}`")))
                .transpose()
        };
        let seconds = number("CHAOS_SECONDS")?;
        if seconds.is_some_and(|seconds| !(10..=86_400).contains(&seconds)) {
            return Err("CHAOS_SECONDS must be 10 to 86400".to_owned());
        }
        let seed = number("CHAOS_SEED")?.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let injected_fault = variable("CHAOS_INJECTED_FAULT");
        let scenes = SCENE_SECONDS
            .into_iter()
            .filter(|(scene, _)| selected.as_deref().is_none_or(|selected| selected == *scene));
        let settings = |(scene, usual): (&'static str, u64)| {
            let length = Duration::from_secs(seconds.unwrap_or(usual));
            ChaosSettings { scene, duration: length, seed, injected_fault: injected_fault.clone() }
        };
        Ok(scenes.map(settings).collect())
    }
}

/// Arguments of libtest that take a value.
const WITH_VALUE: [&str; 7] = ["--test-threads", "--format", "--color", "--logfile", "--shuffle-seed", "-Z", "--skip"];

/// Reads the arguments as libtest would: is the test of this name, such as `chaos::selling`, selected?
pub fn is_selected(words: &[String], name: &str) -> bool {
    let (mut filters, mut skips) = (Vec::new(), Vec::new());
    let has = |word: &str| words.iter().any(|given| given == word);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--skip" => skips.extend(rest.next()),
            with_value if WITH_VALUE.contains(&with_value) => drop(rest.next()),
            flag if flag.starts_with('-') => {}
            _ => filters.push(word),
        }
    }
    let matches =
        |filter: &&String| if has("--exact") { filter.as_str() == name } else { name.contains(filter.as_str()) };
    let not_meant = has("--ignored") || has("--bench") || skips.iter().any(matches);
    !not_meant && (filters.is_empty() || filters.iter().any(matches))
}
