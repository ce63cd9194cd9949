//! The SQLite side: one file, one connection that writes, and a pool of connections that read.
//!
//! The writing connection is used in turns: a second writer would only wait in SQLite's own busy loop. A lock file
//! prevents a second server from opening the same file.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Sqlite as Db, Transaction};
use tokio::sync::{Mutex, MutexGuard, mpsc};

use super::row::{SqliteMigrations, migrator};
use super::sell::{self, SellCall};
use super::{Error, PoolUsage, Result, StoreCounters};
use crate::clock::Clock;

const WRITER_DEADLINE: Duration = Duration::from_secs(5);

pub struct Sqlite {
    readers: SqlitePool,
    reports: SqlitePool,
    writer: std::sync::Arc<WriterSlot>,
    selling: mpsc::Sender<SellCall>,
    clock: Clock,
    epoch: i64,
    /// Locked as long as the store is open; the operating system releases it when the process dies.
    _lock: File,
}

impl Sqlite {
    pub async fn open(path: &str, clock: Clock) -> Result<Self> {
        let path = path.trim_start_matches("//");
        if path.is_empty() || path.starts_with(":memory:") {
            let why = "a SQLite store must be a file, like sqlite:livesouk.db: an in-memory database would be another one \
                for each connection";
            return Err(Error::Setup(why.to_owned()));
        }
        if Path::new(path).is_dir() {
            let file = Path::new(path).join("livesouk.db");
            return Err(Error::Setup(format!("{path} is a folder: name a file, like sqlite:{}", file.display())));
        }
        let lock = lock_file(Path::new(path))?;
        create_private(Path::new(path))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: NORMAL may lose the last commits on power loss, and an acknowledged order must not be lost.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let mut connection = SqliteConnection::connect_with(&options).await?;
        migrator::<SqliteMigrations>()?.run(&mut connection).await?;
        let raise = "insert into meta (name, value) values ('epoch', 1)
            on conflict (name) do update set value = value + 1 returning value";
        let epoch = sqlx::query_scalar(raise).fetch_one(&mut connection).await?;
        let pool =
            |connections| SqlitePoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(3));
        let read_only = options.clone().read_only(true).create_if_missing(false);
        let readers = pool(4).connect_with(read_only.clone()).await?;
        let reports = pool(2).connect_lazy_with(read_only);
        let connection = Mutex::new(Some(connection));
        let writer = std::sync::Arc::new(WriterSlot { options, connection, counters: StoreCounters::default() });
        let selling = sell::start_sqlite(writer.clone(), clock.clone())
            .map_err(|error| Error::Setup(format!("cannot start the selling thread: {error}")))?;
        Ok(Self { readers, reports, writer, selling, clock, epoch, _lock: lock })
    }

    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// For queries that may read much.
    pub fn reports(&self) -> &SqlitePool {
        &self.reports
    }

    pub async fn writer(&self) -> Result<Writer<'_>> {
        self.writer.take().await
    }

    pub fn selling(&self) -> &mpsc::Sender<SellCall> {
        &self.selling
    }

    pub fn counters(&self) -> &StoreCounters {
        &self.writer.counters
    }

    /// The writing connection, as a pool of one.
    pub fn writer_usage(&self) -> PoolUsage {
        let used = usize::from(self.writer.connection.try_lock().is_err());
        PoolUsage { name: "selling", in_use: used, idle: 1 - used, max: 1 }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    pub async fn close(&self) {
        tokio::join!(self.readers.close(), self.reports.close());
        let connection = self.writer.connection.lock().await.take();
        if let Some(connection) = connection {
            // Writes the write-ahead log into the file; whatever is committed is safe in both cases.
            let _ = connection.close().await;
        }
    }
}

/// Opens a file for its owner only, if it has to be created. The file of a shop has names and addresses, and SQLite gives its other
/// files (`-wal`, `-shm`) the permissions of the database.
fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates the database file, if there is none yet. An existing file keeps the permissions that its owner gave it.
fn create_private(path: &Path) -> Result<()> {
    open_private(path).map_err(|error| Error::Setup(format!("cannot open {}: {error}", path.display())))?;
    Ok(())
}

/// Locks the file, or refuses it if another server has it open.
fn lock_file(path: &Path) -> Result<File> {
    let lock_path = format!("{}.lock", path.display());
    let file = open_private(Path::new(&lock_path))
        .map_err(|error| Error::Setup(format!("cannot create {lock_path}: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Setup(format!(
            "another livesouk has {} open; only one server can use a SQLite file (use PostgreSQL for several servers)",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Error::Setup(format!("cannot lock {lock_path}: {error}"))),
    }
}

/// The place of the writing connection between two turns. It is empty after a fault; the next turn connects again.
#[derive(Debug)]
pub(super) struct WriterSlot {
    options: SqliteConnectOptions,
    connection: Mutex<Option<SqliteConnection>>,
    pub(super) counters: StoreCounters,
}

impl WriterSlot {
    pub async fn take(&self) -> Result<Writer<'_>> {
        let wait = tokio::time::timeout(WRITER_DEADLINE, self.connection.lock());
        let mut slot = wait.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.options).await?,
        };
        Ok(Writer { connection: Some(connection), slot })
    }
}

/// One turn to write. If it is not [put back](Self::put_back), its connection is closed, because after a fault its state
/// is not known.
pub struct Writer<'a> {
    connection: Option<SqliteConnection>,
    slot: MutexGuard<'a, Option<SqliteConnection>>,
}

impl Writer<'_> {
    /// `begin immediate`: a plain `begin` has to upgrade its lock later, which may fail immediately.
    pub async fn begin(&mut self) -> Result<Transaction<'_, Db>> {
        match &mut self.connection {
            Some(connection) => Ok(connection.begin_with("begin immediate").await?),
            None => Err(sqlx::Error::WorkerCrashed.into()),
        }
    }

    pub fn put_back(mut self) {
        *self.slot = self.connection.take();
    }
}
