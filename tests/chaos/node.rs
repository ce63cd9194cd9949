//! A node of the cluster: `livesouk serve` as a process, with a faulty network between it and what it needs.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::support::ports::free_port;
use crate::support::process::{Process, Signal};
use crate::support::proxy::Proxy;
use crate::support::rest::Rest;
use crate::support::shop::KEY;
use crate::support::until_some;

const NODE_TIMEOUT: Duration = Duration::from_secs(90);

pub struct ChaosNode {
    pub number: usize,
    pub proxy: Proxy,
    address: SocketAddr,
    folder: TempDir,
    /// Settings besides those that every node has, and the fault that is injected into it.
    settings: NodeSettings,
    process: Process,
    /// The logs of earlier processes of this node.
    earlier_logs: Vec<String>,
    /// The exit results of processes that ended unexpectedly.
    pub unexpected_exits: Vec<String>,
}

/// How a node differs from one that runs alone.
#[derive(Debug, Default)]
pub struct NodeSettings {
    pub args: Vec<String>,
    /// It gets its own address as `--base-url`, to which a bank sends buyers back.
    pub has_base_url: bool,
    /// Needs a build with the feature `fault-injection`.
    pub injected_fault: Option<String>,
}

impl ChaosNode {
    pub async fn start(number: usize, postgres: SocketAddr, more: NodeSettings) -> ChaosNode {
        let proxy = Proxy::start(postgres).await;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = serve(address, &proxy, &folder, &more);
        let (earlier, ended_by_itself) = (Vec::new(), Vec::new());
        let mut node = ChaosNode {
            number,
            proxy,
            address,
            folder,
            settings: more,
            process,
            earlier_logs: earlier,
            unexpected_exits: ended_by_itself,
        };
        node.wait_until_ready().await;
        node
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Like a machine that loses its power.
    pub async fn kill(&mut self) {
        self.record_exit();
        self.process.signal(Signal::Kill);
        self.process.end(NODE_TIMEOUT).await;
    }

    pub async fn restart(&mut self) {
        self.earlier_logs.push(self.process.stderr());
        self.process = serve(self.address, &self.proxy, &self.folder, &self.settings);
        self.wait_until_ready().await;
    }

    /// Like an operator who replaces the node: it is asked to stop and ends by itself. Returns a note.
    pub async fn stop(&mut self) -> String {
        self.process.signal(Signal::Terminate);
        let stop_began = Instant::now();
        let status = self.process.end(NODE_TIMEOUT).await;
        if status.code() != Some(0) {
            self.unexpected_exits.push(format!("asked to stop it ended with {status}:\n{}", self.process.stderr()));
        }
        format!("it took {} ms to end", stop_began.elapsed().as_millis())
    }

    pub fn freeze(&mut self) {
        self.process.signal(Signal::Stop);
    }

    pub fn thaw(&mut self) {
        self.process.signal(Signal::Continue);
    }

    /// Waits until the node is ready. A node that gave up because its database was away is restarted, as a supervisor
    /// would do.
    pub async fn wait_until_ready(&mut self) {
        let rest = Rest::new(&self.url());
        until_some("node that is ready", NODE_TIMEOUT, async || {
            if self.process.has_ended() {
                self.earlier_logs.push(self.process.stderr());
                self.process = serve(self.address, &self.proxy, &self.folder, &self.settings);
            }
            let request = rest.try_send(reqwest::Method::GET, "/readyz?only=store", &[], None);
            let answer = tokio::time::timeout(Duration::from_secs(2), request).await.ok()?.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// A node must not end unless it is asked to. If it did, this records it and restarts the node.
    pub async fn restart_if_exited(&mut self) {
        if self.record_exit() {
            self.restart().await;
        }
    }

    fn record_exit(&mut self) -> bool {
        let has_ended = self.process.has_ended();
        if has_ended {
            self.unexpected_exits.push(self.process.stderr().lines().rev().take(5).collect::<Vec<_>>().join("\n"));
        }
        has_ended
    }

    /// The logs of all its processes.
    pub fn log(&self) -> String {
        [self.earlier_logs.as_slice(), &[self.process.stderr()]].concat().join("\n--- started again\n")
    }
}

fn serve(address: SocketAddr, proxy: &Proxy, folder: &TempDir, more: &NodeSettings) -> Process {
    let (listen, store) = (address.to_string(), Postgres::url_at(proxy.address()));
    let mut args =
        vec!["serve", "--listen", &listen, "--store", &store, "--auth-key", KEY, "--log", "warn,livesouk::node=info"];
    if !more.args.iter().any(|arg| arg == "--payments") {
        args.extend(["--payments", "test"]);
    }
    let base_url = format!("http://{listen}");
    if more.has_base_url {
        args.extend(["--base-url", &base_url]);
    }
    // Buyers of the test buy and cancel far more often than people.
    args.extend(["--request-limits", "false"]);
    args.extend(more.args.iter().map(String::as_str));
    let injected_fault = more.injected_fault.as_deref().map(|fault| ("LIVESOUK_INJECTED_FAULT", fault));
    Process::livesouk_with(&args, folder.path(), injected_fault.as_slice())
}
