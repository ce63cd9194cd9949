//! Chromedriver as a process on a port of its own, and the commands that only Chromium has.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use reqwest::{Method, Url};
use serde_json::Value;
use tempfile::TempDir;

const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The process ends when the value is dropped. Drop the browsers first: they are its children, and a killed chromedriver may
/// not end them.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Driver {
    pub fn start() -> Driver {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("chromedriver: {error}; see scripts/test"));
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let (found, port) = mpsc::channel();
        std::thread::spawn(move || {
            let message = "ChromeDriver was started successfully on port ";
            let port_of = |line: &str| line.strip_prefix(message)?.trim_end_matches('.').parse::<u16>().ok();
            if let Some(port) = lines.by_ref().map_while(Result::ok).find_map(|line| port_of(&line)) {
                let _ = found.send(port);
            }
            lines.for_each(drop); // a full pipe would block chromedriver
        });
        match port.recv_timeout(START_TIMEOUT) {
            Ok(port) => Driver { process, port, folder },
            Err(_) => {
                let _ = process.kill();
                panic!("chromedriver did not print its port within {START_TIMEOUT:?}: {:?}", process.wait());
            }
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The temporary folder of the driver and its browsers. Without it they would leave files in `/tmp` when killed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The pids of the processes whose command line names this folder.
pub fn processes_in(folder: &Path) -> Vec<u32> {
    let folder = folder.to_string_lossy();
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let named = processes.filter(|process| {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&*folder)
    });
    named.filter_map(|process| process.file_name().to_str()?.parse().ok()).collect()
}

/// A command of Chromium that WebDriver does not have: a path under the session and a body.
#[derive(Debug)]
pub struct ChromeCommand {
    path: &'static str,
    body: Value,
}

impl ChromeCommand {
    /// A command of the DevTools protocol.
    pub fn devtools(command: &str, parameters: Value) -> ChromeCommand {
        ChromeCommand { path: "goog/cdp/execute", body: serde_json::json!({"cmd": command, "params": parameters}) }
    }

    /// Returns what the page wrote to its console since the last call.
    pub fn console() -> ChromeCommand {
        ChromeCommand { path: "se/log", body: serde_json::json!({"type": "browser"}) }
    }
}

impl WebDriverCompatibleCommand for ChromeCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
