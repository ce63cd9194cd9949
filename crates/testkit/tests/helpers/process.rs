//! Tests of the process helper: waiting for output, signals, and its reports of failures.

use std::process::Command;
use std::time::Duration;

use testkit::process::{Process, Signal};
use testkit::{SOON, until_some};

fn shell(script: &str) -> Process {
    Process::start(Command::new("sh").args(["-c", script]))
}

#[tokio::test]
async fn line_is_waited_for_and_a_signal_arrives() {
    // Not SIGINT: background processes may start with SIGINT ignored, and a shell cannot change that.
    let script = "trap 'echo bye >&2; exit 3' TERM; echo nothing; echo '{\"listen\":1}'; while :; do sleep 0.05; done";
    let mut process = shell(script);
    let json: serde_json::Value = process.line("JSON", SOON, |line| serde_json::from_str(line).ok()).await;
    assert_eq!(json["listen"], 1);
    process.signal(Signal::Terminate);
    assert_eq!(process.end(SOON).await.code(), Some(3));
    assert_eq!(process.stderr(), "bye");
    process.signal(Signal::Kill); // the process has ended, so no other process with its pid is hit
}

#[tokio::test]
async fn last_output_of_a_process_is_read() {
    let mut process = shell("echo 7; exit 1");
    process.end(SOON).await;
    assert_eq!(process.line("number", SOON, |line| line.parse::<u8>().ok()).await, 7);
}

#[tokio::test]
#[should_panic(expected = "no number; stdout:\nwords\nstderr:\nno port")]
async fn early_end_is_reported_with_the_output() {
    shell("echo words; echo no port >&2; exit 2").line("number", SOON, |line| line.parse::<u8>().ok()).await;
}

#[tokio::test]
#[should_panic(expected = "no number")]
async fn missing_line_does_not_hang_the_test() {
    let mut process = shell("exec sleep 600");
    process.line("number", Duration::from_millis(200), |line| line.parse::<u8>().ok()).await;
}

#[tokio::test]
async fn dropped_process_is_killed() {
    let process = shell("exec sleep 600");
    let status = format!("/proc/{}", process.pid());
    assert!(std::fs::exists(&status).unwrap());
    drop(process);
    until_some("end", SOON, async || (!std::fs::exists(&status).unwrap()).then_some(())).await;
}
