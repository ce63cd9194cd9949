//! A node of the shop: `livesouk serve` as a process, with a bad network between it and what it needs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::postgres::{Postgres, free_address};
use crate::support::process::{Process, Signal};
use crate::support::proxy::Proxy;
use crate::support::rest::Rest;
use crate::support::shop::KEY;
use crate::support::until_some;

const PATIENCE: Duration = Duration::from_secs(90);

pub struct Node {
    pub number: usize,
    pub proxy: Proxy,
    address: SocketAddr,
    folder: TempDir,
    /// Settings besides those every node has, and what breaks it on purpose.
    more: Settings,
    process: Process,
    /// What earlier processes of this node wrote.
    earlier: Vec<String>,
    /// How they ended where nobody had asked them to.
    pub ended_by_itself: Vec<String>,
}

/// How a node differs from one that stands alone.
#[derive(Debug, Default)]
pub struct Settings {
    pub args: Vec<String>,
    /// Of a build with the feature `planted-fault`.
    pub planted: Option<String>,
}

impl Node {
    pub async fn start(number: usize, postgres: SocketAddr, more: Settings) -> Node {
        let proxy = Proxy::start(postgres).await;
        let (address, folder) = (free_address(), tempfile::tempdir().expect("a temporary folder"));
        let process = serve(address, &proxy, &folder, &more);
        let (earlier, ended_by_itself) = (Vec::new(), Vec::new());
        let mut node = Node { number, proxy, address, folder, more, process, earlier, ended_by_itself };
        node.until_ready().await;
        node
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Like a machine that loses its power.
    pub async fn kill(&mut self) {
        self.note_end();
        self.process.signal(Signal::Kill);
        self.process.end(PATIENCE).await;
    }

    pub async fn start_again(&mut self) {
        self.earlier.push(self.process.stderr());
        self.process = serve(self.address, &self.proxy, &self.folder, &self.more);
        self.until_ready().await;
    }

    /// Like an operator who replaces it: it is asked to stop and ends by itself. Gives a note.
    pub async fn stop(&mut self) -> String {
        self.process.signal(Signal::Terminate);
        let asked = Instant::now();
        let status = self.process.end(PATIENCE).await;
        if status.code() != Some(0) {
            self.ended_by_itself.push(format!("asked to stop it ended with {status}:\n{}", self.process.stderr()));
        }
        format!("it took {} ms to end", asked.elapsed().as_millis())
    }

    pub fn freeze(&mut self) {
        self.process.signal(Signal::Stop);
    }

    pub fn thaw(&mut self) {
        self.process.signal(Signal::Continue);
    }

    /// Waits until it says that it serves. One that gave up because its database was away is started again, as a
    /// supervisor would.
    pub async fn until_ready(&mut self) {
        let rest = Rest::new(&self.url());
        until_some("node that is ready", PATIENCE, async || {
            if self.process.has_ended() {
                self.earlier.push(self.process.stderr());
                self.process = serve(self.address, &self.proxy, &self.folder, &self.more);
            }
            let asked = rest.try_send(reqwest::Method::GET, "/readyz?only=store", &[], None);
            let answer = tokio::time::timeout(Duration::from_secs(2), asked).await.ok()?.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// A node that serves must not end unless it is told to. If it did, says so and starts it again.
    pub async fn look_after(&mut self) {
        if self.note_end() {
            self.start_again().await;
        }
    }

    fn note_end(&mut self) -> bool {
        let has_ended = self.process.has_ended();
        if has_ended {
            self.ended_by_itself.push(self.process.stderr().lines().rev().take(5).collect::<Vec<_>>().join("\n"));
        }
        has_ended
    }

    /// Everything it ever wrote.
    pub fn log(&self) -> String {
        [self.earlier.as_slice(), &[self.process.stderr()]].concat().join("\n--- started again\n")
    }
}

fn serve(address: SocketAddr, proxy: &Proxy, folder: &TempDir, more: &Settings) -> Process {
    let (listen, store) = (address.to_string(), Postgres::url_at(proxy.address()));
    let mut args =
        vec!["serve", "--listen", &listen, "--store", &store, "--auth-key", KEY, "--log", "warn,livesouk::node=info"];
    args.extend(more.args.iter().map(String::as_str));
    let planted = more.planted.as_deref().map(|fault| ("LIVESOUK_PLANTED_FAULT", fault));
    Process::livesouk_with(&args, folder.path(), planted.as_slice())
}
