//! The chaos test. Real processes are killed, frozen and cut off while people buy. Afterwards an oracle checks the
//! promises: it compares every reply that a client received with the database.
//!
//! ```sh
//! CHAOS_SCENE=nodes CHAOS_SECONDS=600 CHAOS_SEED=7 cargo test --release --test chaos
//! ```
//!
//! Without `CHAOS_SCENE` the scenes run one after the other. This binary does not use libtest, because a run has one
//! verdict: the last line of the output. Exit code 1 means that a promise was broken, with the evidence above; 2 means
//! that the run was not possible.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod buyer;
mod checkout_client;
mod cluster;
mod cut_commit;
mod database_observer;
mod health;
mod hold_crowd;
mod host;
mod injector;
mod live_connection;
mod money;
mod node;
mod nodes;
mod pin;
mod postgres;
mod provider_faults;
mod room_opening;
mod run_context;
mod selling;
mod viewer;
mod viewer_count;
mod viewer_group;
mod watcher;
mod winner;

use std::collections::BTreeMap;
use std::process::ExitCode;

use testkit as support;
use testkit::chaos::oracle::PromiseViolation;
use testkit::chaos::settings::ChaosSettings;
use testkit::chaos::{fault, fault_plan, journal, oracle, settings};

/// Violations of one promise that are printed.
const PRINTED_MAX: usize = 20;

/// The result of a scene.
pub struct SceneResult {
    pub violations: Vec<PromiseViolation>,
    pub faults: usize,
}

fn main() -> ExitCode {
    let settings = match ChaosSettings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(why) => {
            eprintln!("chaos: {why}");
            return ExitCode::from(2);
        }
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        settings::SCENES.iter().for_each(|scene| println!("chaos::{scene}: test"));
        return ExitCode::SUCCESS;
    }
    let scenes: Vec<ChaosSettings> = settings
        .into_iter()
        .filter(|settings| settings::is_selected(&words, &format!("chaos::{}", settings.scene)))
        .collect();
    run_scenes(&scenes)
}

fn run_scenes(scenes: &[ChaosSettings]) -> ExitCode {
    println!("limits of users and connections: off (--request-limits false)");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (mut violations, mut faults, mut seconds) = (0, 0, 0);
    for settings in scenes {
        let verdict = runtime.block_on(async {
            tokio::select! {
                verdict = run_scene(settings) => Some(verdict),
                _ = tokio::signal::ctrl_c() => None,
            }
        });
        let Some(verdict) = verdict else { return ExitCode::from(130) };
        print_violations(&verdict.violations);
        violations += verdict.violations.len();
        faults += verdict.faults;
        seconds += settings.duration.as_secs();
    }
    if let Some(ChaosSettings { seed, .. }) = scenes.first() {
        println!("verdict: {violations} breaches, {faults} faults, {seconds} s, seed {seed}");
    }
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Counts all violations. When a promise is broken many times, only the first ones are printed.
fn print_violations(violations: &[PromiseViolation]) {
    let mut of_promise: BTreeMap<&str, usize> = BTreeMap::new();
    for violation in violations {
        let printed = of_promise.entry(violation.promise).or_default();
        *printed += 1;
        if *printed <= PRINTED_MAX {
            println!("{violation}");
        }
    }
    for (promise, all) in of_promise.into_iter().filter(|(_, all)| PRINTED_MAX < *all) {
        println!("and {} more of `{promise}`", all - PRINTED_MAX);
    }
}

/// To add a scene, add a file next to `selling` and a line here.
async fn run_scene(settings: &ChaosSettings) -> SceneResult {
    match settings.scene {
        "selling" => Box::pin(selling::run_scene(settings)).await,
        "nodes" => nodes::run_scene(settings).await,
        "money" => Box::pin(money::run_scene(settings)).await,
        other => unreachable!("the settings know no scene {other}"),
    }
}
