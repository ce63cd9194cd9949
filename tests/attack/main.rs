//! The attack test: does to a running shop what a hostile visitor, buyer or team member would try.
//!
//! ```sh
//! scripts/attack                  every attack
//! scripts/attack roles            only those with `roles` in their name
//! ```
//!
//! Each attack starts a shop of its own, does its harm, and says what a broken promise looked like. The last line of the
//! output is the verdict: `verdict: 0 breaches, 12 attacks`. Exit code 1 means that an attack succeeded.
//!
//! To add an attack, write an `async fn(…) -> Outcome` in the file of its noun and name it in that file's `ATTACKS`.

#![allow(clippy::unwrap_used, reason = "an attack that cannot be carried out reports it by a panic")]

mod demo;
mod limits;
mod payments;
mod roles;
mod shop;
mod sign_in;
mod token;

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use testkit::chaos::settings::is_selected;

/// What the attack saw while the shop withstood it, or how the shop was breached.
pub type Outcome = Result<String, String>;

/// The longest time that one attack may take.
const ATTACK_DEADLINE: Duration = Duration::from_secs(180);

/// One attack: what the attacker tries, and the function that tries it.
pub struct Attack {
    pub name: &'static str,
    pub run: fn() -> Pin<Box<dyn Future<Output = Outcome>>>,
}

/// Names an attack: `attack!("payments: the test token buys goods", test_token_is_money)`.
macro_rules! attack {
    ($name:literal, $run:path) => {
        $crate::Attack { name: $name, run: || Box::pin($run()) }
    };
}
pub(crate) use attack;

/// Every attack, by file.
const ATTACKS: &[&[Attack]] =
    &[demo::ATTACKS, limits::ATTACKS, payments::ATTACKS, roles::ATTACKS, sign_in::ATTACKS, token::ATTACKS];

/// Fails unless the condition holds.
pub fn withstood(holds: bool, breach: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(breach()) }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let attacks = || ATTACKS.iter().copied().flatten();
    if words.iter().any(|word| word == "--list") {
        attacks().for_each(|attack| println!("attack::{}: test", attack.name));
        return ExitCode::SUCCESS;
    }
    let selected: Vec<&Attack> =
        attacks().filter(|attack| is_selected(&words, &format!("attack::{}", attack.name))).collect();
    if selected.is_empty() {
        // A filter of `cargo test` that means other tests.
        return ExitCode::SUCCESS;
    }
    let breaches = selected.iter().filter(|attack| !run(attack)).count();
    println!("verdict: {breaches} breaches, {} attacks", selected.len());
    if breaches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one attack and prints what came of it. An attack that panics or does not end counts as a breach: nobody knows
/// whether the shop withstood it.
fn run(attack: &Attack) -> bool {
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let attempt = || runtime.block_on(async { tokio::time::timeout(ATTACK_DEADLINE, (attack.run)()).await });
    let outcome = match std::panic::catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(format!("the attack did not end within {ATTACK_DEADLINE:?}")),
        Err(_) => Err("the attack could not be carried out, see above".to_owned()),
    };
    let seconds = began.elapsed().as_secs_f64();
    match &outcome {
        Ok(seen) => println!("withstood  {}: {seen} ({seconds:.1} s)", attack.name),
        Err(breach) => println!("BREACH     {}: {breach} ({seconds:.1} s)", attack.name),
    }
    outcome.is_ok()
}
