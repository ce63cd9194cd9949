//! The servers that are measured, each a process on processor 0 with one worker, and their cost according to the
//! kernel.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use loadtest::shop_client::ShopClient;
use testkit::bench_servers::LIMITS_OFF;
use testkit::ports::free_port;

const START_DEADLINE: Duration = Duration::from_secs(20);
const AUTH_KEY: &str = "a key that only this benchmark signs with";
/// The kernel counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

pub struct BenchServer {
    child: Child,
    pub address: SocketAddr,
    client: ShopClient,
    /// The token of a host, who may chat in every stream without a rate limit.
    pub token: Option<String>,
    _folder: tempfile::TempDir,
}

impl BenchServer {
    /// `more` are flags besides those that switch the chat rate limits off.
    pub fn livesouk(more: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("livesouk-bench.").tempdir_in("/tmp")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut command = pinned_command(env!("CARGO_BIN_EXE_livesouk").as_ref());
        command.args(["serve", "--log", "warn", "--listen", &address.to_string(), "--auth-key", AUTH_KEY, "--store"]);
        command.arg(format!("sqlite:{}", folder.path().join("shop.db").display()));
        command.args(["--chat-per-second", "0", "--room-chat-per-second", "0"]).args(LIMITS_OFF).args(more);
        let mut server = Self::start(command, address, folder, Some(AUTH_KEY))?;
        server.client.sign_in_as_host()?;
        server.token = Some(server.client.sign_tokens("host", "host", 1)?.remove(0));
        Ok(server)
    }

    pub fn naive() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("livesouk-bench.").tempdir_in("/tmp")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut command = pinned_command(&std::env::current_exe()?);
        command.args(["naive", &address.to_string()]);
        Self::start(command, address, folder, None)
    }

    fn start(
        mut command: Command,
        address: SocketAddr,
        folder: tempfile::TempDir,
        key: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let (url, until) = (format!("http://{address}").parse()?, Instant::now() + START_DEADLINE);
        let shop = loop {
            match ShopClient::open(&url, key) {
                Ok(shop) => break shop,
                Err(error) if until < Instant::now() => {
                    let _ = child.kill();
                    return Err(error).context("a server did not start");
                }
                Err(_) => sleep(Duration::from_millis(50)),
            }
        };
        Ok(Self { child, address, client: shop, token: None, _folder: folder })
    }

    /// Creates streams that are live. The naive server has one stream, whatever its name.
    pub fn create_live_streams(&self, count: usize) -> anyhow::Result<Vec<String>> {
        match self.token {
            Some(_) => (0..count).map(|number| self.client.create_live_stream(&format!("Show {number}"))).collect(),
            None => Ok(vec!["show".to_owned(); count]),
        }
    }

    /// Processor time so far in seconds, user and system.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The second field is the program's name in brackets, which may contain any character.
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
        (ticks(11) + ticks(12)) / TICKS
    }

    /// The proportional set size (PSS) in KiB: the server's own memory and its part of shared memory.
    pub fn pss_kib(&self) -> anyhow::Result<f64> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("smaps_rollup has no Pss")?;
        Ok(line.trim_end_matches("kB").trim().parse()?)
    }
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pinned_command(program: &Path) -> Command {
    let mut command = match can_pin() {
        true => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    command.env("TOKIO_WORKER_THREADS", "1");
    command
}

/// The servers run on processor 0, and this process runs on processor 1.
pub fn can_pin() -> bool {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default().matches("processor\t").count();
    processors > 1 && Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok()
}

/// Must be called before there is a second thread.
pub fn pin_this_process() -> anyhow::Result<()> {
    if can_pin() {
        let own = std::process::id().to_string();
        let taken = Command::new("taskset").args(["-p", "-c", "1", &own]).stdout(Stdio::null()).status()?;
        if !taken.success() {
            bail!("taskset cannot move the load test to processor 1");
        }
    }
    Ok(())
}
