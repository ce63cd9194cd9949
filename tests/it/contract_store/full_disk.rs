//! A full disk: a purchase gets an answer, no acknowledged order is lost, and selling resumes when there is space again.
//!
//! The test needs neither root nor a disk of its own: the server runs with a limit on the size of its files (`prlimit
//! --fsize`), so that every write to the database fails with EFBIG, as it would with ENOSPC. The limit is lowered and
//! raised while the server runs.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::process::Process;
use crate::support::rest::Rest;

fn limit_file_size(pid: u32, soft: &str) {
    let done = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--fsize={soft}:")]).status();
    assert!(done.expect("prlimit, of util-linux").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_is_reported_and_selling_resumes_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // The signal that comes with EFBIG is ignored, because a full disk sends none.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" demo --json --listen 127.0.0.1:0 --data \"$1\""]);
    let mut process = Process::start(command.arg(env!("CARGO_BIN_EXE_livesouk")).arg(&data));
    let started: Value = process.line("first line", SOON, |line| serde_json::from_str(line).ok()).await;
    let rest = Rest::new(&format!("http://{}", started["listen"].as_str().unwrap()));
    let token = rest.post("/v1/dev/tokens", json!({"name": "Ann", "role": "viewer"})).await;
    let rest = rest.with_token(token.body["token"].as_str().unwrap());
    let offer = started["offers"][0]["id"].as_str().unwrap();
    let path = format!("/v1/offers/{offer}/orders");
    let left = async || rest.get(&format!("/v1/offers/{offer}")).await.body["left"].as_i64().unwrap();
    let before = left().await;

    assert_eq!(rest.post_keyed(&path, "key-00001", json!({"qty": 1})).await.status, 201);
    limit_file_size(process.pid(), "1");
    let refused = rest.post_keyed(&path, "key-00002", json!({"qty": 1})).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("outcome_unknown")), "{:#}", refused.body);
    assert_eq!(left().await, before - 1, "reads still work");

    limit_file_size(process.pid(), "unlimited");
    let begun = Instant::now();
    let bought = loop {
        let answer = rest.post_keyed(&path, "key-00002", json!({"qty": 1})).await;
        if answer.status != 503 {
            break answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:#}", answer.body);
    };
    assert!([200, 201].contains(&bought.status), "{:#}", bought.body);
    assert_eq!(rest.post_keyed(&path, "key-00001", json!({"qty": 1})).await.status, 200);
    assert_eq!(left().await, before - 2);
}
