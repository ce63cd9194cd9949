//! A PostgreSQL server for one test that crashes it, restarts it or replaces it by its standby. It lives in a temporary folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::time::timeout;

use super::ports::free_port;
use super::process::{Process, Signal};
use super::{SOON, until_some};

/// The time limit of a server for its shutdown and for its recovery after a crash.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Postgres {
    bin: PathBuf,
    /// Under /tmp and readable for all, because the user `postgres` must reach it.
    folder: TempDir,
    address: SocketAddr,
    process: Option<Process>,
}

impl Postgres {
    /// Creates and starts a server. `Err` names the missing program.
    pub async fn start() -> Result<Postgres, String> {
        let postgres = Postgres::prepare()?;
        let initdb = postgres.bin.join("initdb");
        let args = "-U postgres -A trust -E UTF8 --no-locale".split(' ');
        run(as_postgres(&initdb).arg("-D").arg(postgres.data()).args(args))?;
        Ok(postgres.started().await)
    }

    /// Starts a streaming standby of the server at `primary`, which may be the address of a proxy.
    pub async fn standby(primary: SocketAddr) -> Result<Postgres, String> {
        let postgres = Postgres::prepare()?;
        let (host, port) = (primary.ip().to_string(), primary.port().to_string());
        let copy = postgres.bin.join("pg_basebackup");
        let args = ["-h", &host, "-p", &port, "-U", "postgres", "-R", "-X", "stream", "-c", "fast"];
        let mut command = as_postgres(&copy);
        command.arg("-D").arg(postgres.data()).args(args);
        // A proxy in between runs on the thread of the test, which must not block.
        let copied = tokio::task::spawn_blocking(move || run(&mut command)).await;
        copied.map_err(|error| error.to_string())??;
        Ok(postgres.started().await)
    }

    fn prepare() -> Result<Postgres, String> {
        let bin = newest_bin().ok_or("PostgreSQL is missing: apt-get install postgresql (scripts/test does)")?;
        let folder =
            tempfile::Builder::new().prefix("livesouk-test-pg.").tempdir_in("/tmp").map_err(|e| e.to_string())?;
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).map_err(|e| e.to_string())?;
        let home = folder.path().join("postgres");
        std::fs::create_dir(&home).map_err(|error| error.to_string())?;
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(&home))?;
        }
        Ok(Postgres { bin, folder, address: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())), process: None })
    }

    async fn started(mut self) -> Postgres {
        self.start_again().await;
        self
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("postgres/data")
    }

    /// Runs a statement as an operator; the result is a text or nothing.
    pub async fn run(&self, sql: &str) -> Option<String> {
        let mut connection = self.connect().await.expect("the server accepts connections");
        let row: Option<(Option<String>,)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_optional(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
        row?.0
    }

    /// Makes commits wait for a standby, and waits until there is one.
    pub async fn wait_for_standbys(&self) {
        self.run("alter system set synchronous_standby_names = '*'").await;
        self.run("select pg_reload_conf()::text").await;
        until_some("synchronous standby", PATIENCE, async || {
            let state = self.run("select max(sync_state) from pg_stat_replication").await;
            (state.as_deref() == Some("sync")).then_some(())
        })
        .await;
    }

    /// Promotes a standby to a primary. It has no standbys of its own, so its commits do not wait.
    pub async fn promote(&self) {
        self.run("select pg_promote()::text").await;
    }

    /// Starts the server and waits until its recovery is over and it accepts connections.
    pub async fn start_again(&mut self) {
        let home = self.folder.path().join("postgres");
        until_some("PostgreSQL that accepts connections", PATIENCE, async || {
            // After a crash the shared memory of the old server may still be in use for a moment. Then the new one ends and is started again.
            if self.process.as_mut().is_none_or(Process::has_ended) {
                let mut command = as_postgres(&self.bin.join("postgres"));
                command.arg("-D").arg(self.data()).args(["-p", &self.address.port().to_string()]);
                command.arg("-c").arg(format!("unix_socket_directories={}", home.display()));
                for setting in ["listen_addresses=127.0.0.1", "max_connections=200", "log_min_messages=fatal"] {
                    command.args(["-c", setting]);
                }
                self.process = Some(Process::start(&mut command));
            }
            self.connect().await.ok().map(drop)
        })
        .await;
    }

    /// Immediate shutdown, which is a crash: the next start recovers from the write-ahead log.
    pub async fn crash(&mut self) {
        self.end(Signal::Quit).await;
    }

    /// Fast shutdown: transactions are rolled back and connections are closed.
    pub async fn stop(&mut self) {
        self.end(Signal::Interrupt).await;
    }

    async fn end(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
            process.end(PATIENCE).await;
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the database at this address, which may be a proxy.
    pub fn url_at(address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/postgres")
    }

    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        connect(self.address).await
    }
}

/// Connects directly to the server, without a proxy.
pub async fn connect(address: SocketAddr) -> Result<PgConnection, sqlx::Error> {
    let url = Postgres::url_at(address);
    timeout(SOON, PgConnection::connect(&url)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

pub fn newest_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let bins = numbered.map(|(version, path)| (version, path.join("bin")));
    bins.filter(|(_, bin)| bin.join("initdb").is_file()).max().map(|(_, bin)| bin)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// PostgreSQL refuses to run as root. `setpriv` replaces itself by the program, so the pid is that of the server. It also asks
/// the kernel to end the server when the test process ends, even if that is killed.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig=INT", "--"]).arg(program).current_dir("/");
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let done = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let stderr = String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(()) } else { Err(format!("{command:?}: {stderr}")) }
}
