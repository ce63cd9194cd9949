//! The command as one types it: wrong usage and a missing server end with 2 and a sentence.

use std::process::{Command, Output};

fn crowd(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.env_remove("LIVESOUK_AUTH_KEY").args(line.split_whitespace()).output().expect("it runs")
}

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_usage_is_2_and_a_sentence() {
    for (line, part) in [
        ("", "SCENARIO"),
        ("dance", "invalid value 'dance'"),
        ("chat --url https://shop.example", "error: --url: the crowd speaks plain http:// only"),
        ("chat --viewers many", "invalid value 'many'"),
    ] {
        let output = crowd(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(says(&output).contains(part), "{line}: {}", says(&output));
    }
}

#[test]
fn no_server_is_2_and_a_sentence() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let output = crowd(&format!("watch --url http://{free}"));
    assert_eq!(output.status.code(), Some(2));
    assert!(says(&output).starts_with("error: there is no server at"), "{}", says(&output));
}

#[test]
fn more_viewers_than_open_files_is_2_and_names_the_number() {
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 256; exec \"$0\" watch --viewers 5000", env!("CARGO_BIN_EXE_loadtest")])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(says(&output).contains("5065 open files and the limit is 256"), "{}", says(&output));
}
