//! The server as its users run it: a process with a command line, output and signals.
//!
//! A process ends when its value is dropped. When the test fails, the stderr of the process is printed.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::migrated::{put_sqlite, put_sqlite_into};
use super::ports::free_address;
use super::rest::Rest;
use super::{SOON, until_some};

/// The binary under test. Cargo builds it before the tests and benchmarks of the package `livesouk`, and names it when it runs
/// them. Panics in another process, such as a test binary that was started by hand without this variable.
pub fn livesouk_binary() -> PathBuf {
    let named = std::env::var_os("CARGO_BIN_EXE_livesouk");
    named.expect("CARGO_BIN_EXE_livesouk names the binary under test; `cargo test` and `cargo bench` set it").into()
}

/// A process of a test; its output is collected line by line.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: [JoinHandle<()>; 2],
    ended: Option<ExitStatus>,
}

type Lines = Arc<Mutex<Vec<String>>>;

#[derive(Debug, Clone, Copy)]
pub enum Signal {
    Hangup,
    Interrupt,
    Quit,
    Terminate,
    Kill,
    Stop,
    Continue,
}

impl Process {
    pub fn start(command: &mut Command) -> Process {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, stdout_reader) = collect(child.stdout.take().expect("a pipe"));
        let (stderr, stderr_reader) = collect(child.stderr.take().expect("a pipe"));
        Process { child, stdout, stderr, readers: [stdout_reader, stderr_reader], ended: None }
    }

    /// Starts `livesouk` with these arguments, in this folder and without settings from the environment of the test.
    pub fn livesouk(args: &[&str], folder: &Path) -> Process {
        Process::livesouk_with(args, folder, &[])
    }

    /// The same with these environment variables.
    pub fn livesouk_with(args: &[&str], folder: &Path, environment: &[(&str, &str)]) -> Process {
        let mut command = Command::new(livesouk_binary());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LIVESOUK_")) {
            command.env_remove(name);
        }
        Process::start(command.args(args).current_dir(folder).envs(environment.iter().copied()))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn stdout(&self) -> String {
        joined(&self.stdout)
    }

    pub fn stderr(&self) -> String {
        joined(&self.stderr)
    }

    /// The first result of `find` on a line of stdout. Panics when the process ends without one.
    pub async fn line<T>(&mut self, what: &str, deadline: Duration, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + deadline;
        let mut is_last_search = false;
        loop {
            if let Some(found) = lines(&self.stdout).iter().find_map(|line| find(line)) {
                return found;
            }
            let in_time = tokio::time::Instant::now() < deadline;
            assert!(in_time && !is_last_search, "no {what}; stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr());
            // The reader of the pipe may end a little after the process: wait for it, then search once more.
            is_last_search = self.has_ended() && self.is_read_out();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal, unless the process has ended: another process may have its pid by now.
    pub fn signal(&mut self, signal: Signal) {
        let name = match signal {
            Signal::Hangup => "HUP",
            Signal::Interrupt => "INT",
            Signal::Quit => "QUIT",
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        };
        if !self.has_ended() {
            let kill = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status();
            assert!(kill.expect("a shell").success(), "kill -{name} {}", self.pid());
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.ended = self.ended.or_else(|| self.child.try_wait().expect("the child is ours"));
        self.ended.is_some()
    }

    /// True when all output has been read: no process has its pipes open any more.
    fn is_read_out(&self) -> bool {
        self.readers.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the end and returns the exit status. After that `stdout` and `stderr` are complete.
    pub async fn end(&mut self, deadline: Duration) -> ExitStatus {
        until_some("end of the process", deadline, || {
            let is_over = self.has_ended() && self.is_read_out();
            std::future::ready(self.ended.filter(|_| is_over))
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- stderr of process {}\n{}", self.pid(), self.stderr());
        }
    }
}

fn collect(pipe: impl Read + Send + 'static) -> (Lines, JoinHandle<()>) {
    let lines = Lines::default();
    let collected = Arc::clone(&lines);
    let reader = std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            collected.lock().expect("a reader does not panic").push(text);
            line.clear();
        }
    });
    (lines, reader)
}

fn lines(lines: &Lines) -> Vec<String> {
    lines.lock().expect("a reader does not panic").clone()
}

fn joined(of: &Lines) -> String {
    lines(of).join("\n")
}

/// A running server and its folder.
#[derive(Debug)]
pub struct Server {
    pub process: Process,
    /// Such as `http://127.0.0.1:40123`.
    pub url: String,
    /// The output of `demo --json`; null for `serve`.
    pub started: Value,
    folder: Arc<TempDir>,
}

impl Server {
    /// Starts `livesouk demo` on a free port with data of its own.
    pub async fn demo() -> Server {
        Server::demo_in(Arc::new(tempfile::tempdir().expect("a temporary folder")), &[]).await
    }

    /// Starts `demo` in a folder that may already have data, with more arguments. New data begin with a migrated database,
    /// because the migrations are half of the start; the tests of the crowd of the demo begin with nothing.
    pub async fn demo_in(folder: Arc<TempDir>, more: &[&str]) -> Server {
        let args = ["demo", "--json", "--no-crowd", "--listen", "127.0.0.1:0", "--data", "data"];
        put_sqlite_into(&folder.path().join("data")).await;
        let mut process = Process::livesouk(&[&args, more].concat(), folder.path());
        let started: Value =
            process.line("first line of demo --json", SOON, |line| serde_json::from_str(line).ok()).await;
        let url = format!("http://{}", started["listen"].as_str().unwrap_or_else(|| panic!("no listen in {started}")));
        Server { process, url, started, folder }.ready().await
    }

    /// Starts `livesouk serve` on a port that was free a moment ago, with the test provider for payments unless `more` names another.
    pub async fn serve(store: &str, auth_key: &str, more: &[&str]) -> Server {
        let payments: &[&str] = if more.contains(&"--payments") { &[] } else { &["--payments", "test"] };
        Server::serve_without_payments(store, auth_key, &[payments, more].concat()).await
    }

    /// Starts `livesouk serve` as an operator does who takes no payments. A new SQLite file begins migrated; see [`NewShop`] for one that
    /// is migrated at the start.
    ///
    /// [`NewShop`]: crate::new_shop::NewShop
    pub async fn serve_without_payments(store: &str, auth_key: &str, more: &[&str]) -> Server {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let listen = free_address();
        if let Some(file) = store.strip_prefix("sqlite:") {
            put_sqlite(&folder.path().join(file)).await;
        }
        let args = ["serve", "--listen", &listen, "--store", store, "--auth-key", auth_key];
        let process = Process::livesouk(&[&args, more].concat(), folder.path());
        Server { process, url: format!("http://{listen}"), started: Value::Null, folder }.ready().await
    }

    /// Waits until `/readyz` answers 200; panics immediately when the process ends instead.
    async fn ready(mut self) -> Server {
        let rest = Rest::new(&self.url);
        until_some("ready server", SOON, async || {
            assert!(!self.process.has_ended(), "the server ended at start:\n{}", self.process.stderr());
            let answer = rest.try_send(reqwest::Method::GET, "/readyz", &[], None).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        self
    }

    pub fn rest(&self) -> Rest {
        Rest::new(&self.url)
    }

    /// `127.0.0.1:40123`, for a proxy.
    pub fn address(&self) -> std::net::SocketAddr {
        self.url.trim_start_matches("http://").parse().expect("an address")
    }

    /// The show that `demo` starts.
    pub fn stream(&self) -> &str {
        self.started["stream"].as_str().expect("demo names its stream")
    }

    pub fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A token from the sign-in of the demo.
    pub async fn token(&self, name: &str, role: &str) -> String {
        let body = serde_json::json!({"name": name, "role": role});
        let answer = self.rest().post("/v1/dev/tokens", body).await;
        assert!((200..300).contains(&answer.status), "sign-in of the demo: {:#}", answer.body);
        answer.body["token"].as_str().expect("a token").to_owned()
    }

    /// Sends SIGINT, as Ctrl-C does, and returns the exit status.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process.signal(Signal::Interrupt);
        self.process.end(SOON).await
    }
}
