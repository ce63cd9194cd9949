//! Faults on purpose: real processes are killed, frozen and cut off while people buy, and an oracle that knows every
//! answer anybody got holds the promises against the database afterwards.
//!
//! ```sh
//! CHAOS_SCENE=selling CHAOS_SECONDS=600 CHAOS_SEED=7 cargo test --release --test chaos
//! ```
//!
//! Without libtest, because a run is one thing with one verdict: the last line of the output. Exit code 1 says that a
//! promise was broken, with the evidence above; 2 says that the run was not possible.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod board;
mod buyer;
mod fault;
mod host;
mod inflict;
mod journal;
mod line;
mod node;
mod oracle;
mod postgres;
mod selling;
mod settings;
mod side;
mod till;
mod watcher;

#[path = "../it/support/mod.rs"]
mod support;

use std::process::ExitCode;

use oracle::Breach;
use settings::{Settings, Wanted};

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
    match settings::wanted(&words, &settings.scene) {
        Wanted::Run => run(&settings),
        Wanted::Nothing => ExitCode::SUCCESS,
        Wanted::List => {
            settings::SCENES.iter().for_each(|scene| println!("chaos::{scene}: test"));
            ExitCode::SUCCESS
        }
    }
}

fn run(settings: &Settings) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
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
    let (breaches, faults, seconds) = (verdict.breaches.len(), verdict.faults, settings.length.as_secs());
    println!("verdict: {breaches} breaches, {faults} faults, {seconds} s, seed {}", settings.seed);
    if breaches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A new scene is a file beside `selling` and a line here.
async fn play(settings: &Settings) -> Verdict {
    match settings.scene.as_str() {
        "selling" => selling::play(settings).await,
        other => unreachable!("the settings know no scene {other}"),
    }
}
