//! What a run is told: the scene, how long and by which seed, from the environment; and, because `cargo test` gives
//! every test binary the same words, whether it was meant at all.

use std::time::Duration;

pub const SCENES: [&str; 1] = ["selling"];
/// Scenes that have a name already and are played in a later version.
const TO_COME: [&str; 1] = ["nodes"];

#[derive(Debug)]
pub struct Settings {
    pub scene: String,
    /// How long faults happen; making the stand and coming to rest are on top.
    pub length: Duration,
    /// The plan of the faults is a pure function of this and of `length`.
    pub seed: u64,
}

/// What `cargo test` asks of this binary.
#[derive(Debug, PartialEq)]
pub enum Wanted {
    Run,
    List,
    /// A filter that means other tests.
    Nothing,
}

impl Settings {
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
        let scene = variable("CHAOS_SCENE").unwrap_or_else(|| SCENES[0].to_owned());
        if TO_COME.contains(&scene.as_str()) {
            return Err(format!("the scene `{scene}` comes with a later version; there is {}", SCENES.join(", ")));
        }
        if !SCENES.contains(&scene.as_str()) {
            return Err(format!("there is no scene `{scene}`; there is {}", SCENES.join(", ")));
        }
        let number = |name: &str| {
            let text = variable(name);
            text.map(|text| text.parse::<u64>().map_err(|_| format!("{name} is a whole number, not `{text}`")))
                .transpose()
        };
        let seconds = number("CHAOS_SECONDS")?.unwrap_or(60);
        if !(10..=86_400).contains(&seconds) {
            return Err("CHAOS_SECONDS is 10 to 86400".to_owned());
        }
        let seed = number("CHAOS_SEED")?.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        Ok(Settings { scene, length: Duration::from_secs(seconds), seed })
    }
}

/// Words of libtest that take the next word with them.
const WITH_VALUE: [&str; 7] = ["--test-threads", "--format", "--color", "--logfile", "--shuffle-seed", "-Z", "--skip"];

/// Reads the words as libtest would, for a binary whose tests are called `chaos::SCENE`.
pub fn wanted(words: &[String], scene: &str) -> Wanted {
    let name = format!("chaos::{scene}");
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
    let matches = |filter: &&String| if has("--exact") { **filter == name } else { name.contains(filter.as_str()) };
    if has("--list") {
        Wanted::List
    } else if has("--ignored") || has("--bench") || skips.iter().any(matches) {
        Wanted::Nothing
    } else if filters.is_empty() || filters.iter().any(matches) {
        Wanted::Run
    } else {
        Wanted::Nothing
    }
}
