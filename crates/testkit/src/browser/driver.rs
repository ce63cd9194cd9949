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
const STARTS_MAX: usize = 5;

/// The process ends when the value is dropped. Drop the browsers first: they are its children, and a killed chromedriver may
/// not end them.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Driver {
    /// chromedriver chooses a free port of IPv4, and ends when another process has the same port of IPv6: then it is started again.
    pub fn start() -> Driver {
        (0..STARTS_MAX).find_map(|_| Driver::try_start()).expect("chromedriver finds a port")
    }

    /// `None`: it ended before it listened.
    fn try_start() -> Option<Driver> {
        let folder = profiles_folder();
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
            let mut said = Vec::new();
            let all = lines.by_ref().map_while(Result::ok);
            let port = all.inspect(|line| said.push(line.clone())).find_map(|line| port_of(&line));
            let _ = found.send(port.ok_or(said.join(" ")));
            lines.for_each(drop); // a full pipe would block chromedriver
        });
        let answer = port.recv_timeout(START_TIMEOUT);
        if let Ok(Ok(port)) = answer {
            return Some(Driver { process, port, folder });
        }
        let _ = process.kill();
        let ended = process.wait();
        match answer {
            Ok(Err(said)) => eprintln!("chromedriver ended before it listened: {ended:?} {said}"),
            _ => panic!("chromedriver did not print its port within {START_TIMEOUT:?}: {ended:?}"),
        }
        None
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

/// In memory, if `scripts/test` has found enough of it: a browser makes hundreds of small files before it shows a page.
fn profiles_folder() -> TempDir {
    let made = match std::env::var_os("LIVESOUK_TEST_PROFILES") {
        Some(memory) => tempfile::tempdir_in(memory),
        None => tempfile::tempdir(),
    };
    made.expect("a temporary folder")
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
