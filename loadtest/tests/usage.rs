//! The command as a person types it: wrong usage and a missing server end with exit code 2 and a sentence.

use std::process::{Command, Output};

fn loadtest(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.env_remove("LIVESOUK_AUTH_KEY").args(line.split_whitespace()).output().expect("it runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_usage_exits_with_2_and_a_sentence() {
    for (line, part) in [
        ("", "SCENARIO"),
        ("dance", "invalid value 'dance'"),
        ("chat --url https://shop.example", "error: --url: only plain http:// is supported"),
        ("chat --viewers many", "invalid value 'many'"),
    ] {
        let output = loadtest(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(stderr(&output).contains(part), "{line}: {}", stderr(&output));
    }
}

#[test]
fn missing_server_exits_with_2_and_a_sentence() {
    let output = loadtest("watch --url http://127.0.0.1:1");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: there is no server at"), "{}", stderr(&output));
}

#[test]
fn too_many_open_files_exit_with_2_and_the_needed_limit() {
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 256; exec \"$0\" watch --viewers 5000", env!("CARGO_BIN_EXE_loadtest")])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("5065 open files and the limit is 256"), "{}", stderr(&output));
}
