//! Faults on purpose: real processes are killed, frozen and cut off while people buy, and an oracle that knows every
//! answer anybody got holds the promises against the database afterwards.
//!
//! ```sh
//! CHAOS_SCENE=nodes CHAOS_SECONDS=600 CHAOS_SEED=7 cargo test --release --test chaos
//! ```
//!
//! Without `CHAOS_SCENE` the scenes are played one after the other. Without libtest, because a run is one thing with one
//! verdict: the last line of the output. Exit code 1 says that a
//! promise was broken, with the evidence above; 2 says that the run was not possible.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod board;
mod buyer;
mod census;
mod crowd;
mod fault;
mod health;
mod host;
mod inflict;
mod journal;
mod line;
mod mishap;
mod node;
mod nodes;
mod oracle;
mod pin;
mod postgres;
mod selling;
mod settings;
mod side;
mod till;
mod town;
mod viewer;
mod watcher;

#[path = "../it/support/mod.rs"]
mod support;

use std::process::ExitCode;

use oracle::Breach;
use settings::Settings;

/// What a scene found.
pub struct Verdict {
    pub breaches: Vec<Breach>,
    pub faults: usize,
}

fn main() -> ExitCode {
    let settings = match Settings::read(|name| std::env::var(name).ok()) {
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
    let scenes: Vec<Settings> =
        settings.into_iter().filter(|settings| settings::is_wanted(&words, settings.scene)).collect();
    run(&scenes)
}

fn run(scenes: &[Settings]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (mut breaches, mut faults, mut seconds) = (0, 0, 0);
    for settings in scenes {
        let verdict = runtime.block_on(async {
            tokio::select! {
                verdict = play(settings) => Some(verdict),
                _ = tokio::signal::ctrl_c() => None,
            }
        });
        let Some(verdict) = verdict else { return ExitCode::from(130) };
        for breach in &verdict.breaches {
            println!("{breach}");
        }
        breaches += verdict.breaches.len();
        faults += verdict.faults;
        seconds += settings.length.as_secs();
    }
    if let Some(Settings { seed, .. }) = scenes.first() {
        println!("verdict: {breaches} breaches, {faults} faults, {seconds} s, seed {seed}");
    }
    if breaches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A new scene is a file beside `selling` and a line here.
async fn play(settings: &Settings) -> Verdict {
    match settings.scene {
        "selling" => selling::play(settings).await,
        "nodes" => nodes::play(settings).await,
        other => unreachable!("the settings know no scene {other}"),
    }
}
