//! A window of Firefox, driven over WebDriver BiDi without a driver in between. It can open pages and ask them.

use std::process::Command;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::process::Process;
use crate::until_some;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Firefox prints this and its address when it can be driven.
const LISTENS: &str = "WebDriver BiDi listening on ";

/// Firefox ends when the value is dropped.
#[derive(Debug)]
pub struct Firefox {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    context: Value,
    commands: u64,
    _process: Process,
    _profile: TempDir,
}

impl Firefox {
    pub async fn open() -> Firefox {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let program = if std::path::Path::new("/usr/bin/firefox-esr").exists() { "firefox-esr" } else { "firefox" };
        let mut command = Command::new(program);
        command.args(["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile"]).arg(profile.path());
        command.env("HOME", profile.path()).env("TMPDIR", profile.path());
        let process = Process::start(&mut command);
        let address = until_some("a Firefox that can be driven", START_TIMEOUT, async || {
            process.stderr().lines().find_map(|line| Some(line.strip_prefix(LISTENS)?.trim().to_owned()))
        })
        .await;
        let (socket, _) =
            tokio_tungstenite::connect_async(format!("{address}/session")).await.expect("Firefox answers");
        let mut firefox = Firefox { socket, context: Value::Null, commands: 0, _process: process, _profile: profile };
        firefox.send("session.new", json!({"capabilities": {}})).await;
        firefox.context = firefox.send("browsingContext.getTree", json!({})).await["contexts"][0]["context"].clone();
        firefox
    }

    async fn send(&mut self, method: &str, params: Value) -> Value {
        self.commands += 1;
        let id = self.commands;
        let command = json!({"id": id, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(command)).await.unwrap_or_else(|error| panic!("{method}: {error}"));
        let answering = tokio::time::timeout(ANSWER_TIMEOUT, async {
            loop {
                let message = self.socket.next().await.expect("Firefox runs").expect("a message");
                let Message::Text(text) = message else { continue };
                let answer: Value = serde_json::from_str(&text).expect("JSON");
                if answer["id"] == json!(id) {
                    return answer;
                }
            }
        });
        let answer = answering.await.unwrap_or_else(|_| panic!("{method}: no answer within {ANSWER_TIMEOUT:?}"));
        assert_eq!(answer["type"], "success", "{method}: {answer}");
        answer["result"].clone()
    }

    /// Loads a page and waits until it is loaded.
    pub async fn goto(&mut self, url: &str) {
        let context = self.context.clone();
        self.send("browsingContext.navigate", json!({"context": context, "url": url, "wait": "complete"})).await;
    }

    /// The value of an expression in the page, as text; an exception is `null`.
    pub async fn value(&mut self, expression: &str) -> Option<String> {
        let script = format!("(() => {{ try {{ return String({expression}) }} catch {{ return null }} }})()");
        let target = json!({"context": self.context});
        let params = json!({"expression": script, "target": target, "awaitPromise": true});
        self.send("script.evaluate", params).await["result"]["value"].as_str().map(str::to_owned)
    }

    /// Waits until an expression in the page is true.
    pub async fn until(&mut self, what: &str, expression: &str, deadline: Duration) {
        let waiting = tokio::time::timeout(deadline, async {
            while self.value(expression).await.as_deref() != Some("true") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        if waiting.await.is_err() {
            let page = self.value("document.body.innerText").await;
            panic!("{what}: not within {deadline:?}: {expression}\n{}", page.unwrap_or_default());
        }
    }
}
