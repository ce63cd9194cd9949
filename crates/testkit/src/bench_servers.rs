//! A PostgreSQL and a Redis for benchmarks: free ports, a temporary folder, and ended when the values are dropped.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::ports::free_port;

/// A benchmark measures the server, not its limits: one user buys thousands of times, and all viewers have one address.
pub const LIMITS_OFF: [&str; 4] = ["--request-limits", "false", "--connections-per-address", "0"];
/// Every benchmark prints this above its figures.
pub const LIMITS_OFF_NOTE: &str = "limits of users, connections and addresses: off (--request-limits false)";

const START_DEADLINE: Duration = Duration::from_secs(30);

pub struct BenchPostgres {
    child: Child,
    port: u16,
}

impl BenchPostgres {
    /// Durable as installed: `fsync` and `synchronous_commit` are on. Checkpoints are far apart for every
    /// implementation.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let (bin, home) = (postgres_bin()?, folder.join("postgres"));
        std::fs::create_dir(&home)?;
        let root = Command::new("id").arg("-u").output()?.stdout == b"0\n";
        if root {
            // PostgreSQL refuses to run as root.
            std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            let owned = Command::new("chown").arg("postgres:").arg(&home).status()?;
            ensure!(owned.success(), "cannot give {} to the user postgres", home.display());
        }
        let data = home.join("data");
        let made = as_postgres(root, &bin.join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"])
            .arg(&data)
            .output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let child = as_postgres(root, &bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"])
            .args(["-c", "max_wal_size=8GB", "-c", "checkpoint_timeout=30min", "-c"])
            .arg(format!("unix_socket_directories={}", home.display()))
            .stderr(Stdio::null())
            .spawn()?;
        let postgres = Self { child, port };
        let url = postgres.url("postgres");
        wait_until_ready("PostgreSQL", async || Ok(PgConnection::connect(&url).await?.close().await?)).await?;
        Ok(postgres)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub async fn create(&self, database: &str) -> anyhow::Result<String> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {database}"))).execute(&mut connection).await?;
        Ok(self.url(database))
    }
}

impl Drop for BenchPostgres {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown. SIGKILL would leave shared memory behind.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

pub struct BenchRedis {
    child: Child,
    port: u16,
}

impl BenchRedis {
    /// Stores nothing: no snapshots, no append-only file. This is the ceiling that people quote.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let port = free_port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server is missing: apt-get install redis-server")?;
        let redis = Self { child, port };
        let client = redis::Client::open(redis.url())?;
        wait_until_ready("Redis", async || Ok(client.get_multiplexed_async_connection().await.map(|_| ())?)).await?;
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for BenchRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The newest of Debian's versioned folders, which are not on the PATH.
fn postgres_bin() -> anyhow::Result<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is missing: apt-get install postgresql")?;
    let mut bins: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((entry.as_ref().ok()?.file_name().to_str()?.parse().ok()?, entry.ok()?.path().join("bin")))
        })
        .collect();
    bins.sort();
    bins.pop().map(|(_, bin)| bin).context("PostgreSQL is missing: apt-get install postgresql")
}

/// Runs as the user postgres when we are root. It is in a process group of its own, so that Ctrl-C reaches us first,
/// and it ends with us.
fn as_postgres(root: bool, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg("--pdeathsig=INT").arg("--").arg(program).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command.process_group(0);
    command
}

async fn wait_until_ready(name: &str, check: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let checking = async {
        while check().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(START_DEADLINE, checking).await.is_err() {
        bail!("{name} did not start");
    }
    Ok(())
}
