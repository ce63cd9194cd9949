//! What must survive: the only SQL.
//!
//! Two databases, one face. Where both accept a statement there is one text of it, run through the typed pool of
//! either kind by [`on_reader!`] and [`in_transaction!`]; where speed or a lock needs it, each has its own.
//! Rules are asked of `domain`; a refusal found under a lock comes back as [`Error::Refused`].
//!
//! Every write runs in a task of its own (see `app`): a transaction must never live in a future that a leaving
//! client cancels. One lock order: variants, offers, orders, each ascending.

mod address;
mod audit;
mod blocklist;
mod chat;
mod counters;
mod invite;
mod lineup;
mod offer;
mod order;
mod order_history;
mod payment;
mod postgres;
mod product;
mod refund;
mod report;
mod review;
mod sell;
mod sqlite;
mod stock_alert;
mod stream;
mod test_provider;
mod user_data;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{Millis, Refusal, Titles};

pub use counters::{PoolUsage, StoreCounters};
pub use offer::OfferVersion;
pub use order::{IdempotencyRecord, ReleaseReason};
pub use payment::{BegunPayment, NewPayment};
pub use product::ProductPage;
pub use refund::NewRefund;
pub use sell::{BatchOutcome, BatchTurn, PurchaseOutcome};
pub use stock_alert::StockAlertCount;
pub use test_provider::{TestIntent, TestProviderReply};
pub use user_data::ErasureReport;
pub use webhook::PaymentEvent;

#[derive(Clone)]
pub enum Store {
    Postgres(Arc<postgres::Postgres>),
    Sqlite(Arc<sqlite::Sqlite>),
}

#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// A rule said no under the lock; nothing was written.
    #[error("{0}")]
    Refused(Refusal),
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    #[error("the migrations failed: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("{0}")]
    Setup(String),
    /// A row that our own constraints should have made impossible.
    #[error("a stored value cannot be read: {0}")]
    CorruptRow(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Error::Database(error)
    }
}

impl Error {
    /// The link or the server is at fault, not what was asked: trying again may help.
    pub fn is_transient(&self) -> bool {
        let Error::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::BeginFailed => true,
            sqlx::Error::Database(db) => db.code().is_some_and(|code| {
                if db.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                    code.parse().is_ok_and(is_transient_sqlite_code)
                } else {
                    is_transient_postgres_code(&code)
                }
            }),
            _ => false,
        }
    }
}

/// Connection, operator and resource classes, deadlock, serialization, lock timeout, frozen session, and a server
/// that may only read because another is taking over.
fn is_transient_postgres_code(code: &str) -> bool {
    ["08", "57", "53"].iter().any(|class| code.starts_with(class))
        || matches!(code, "40P01" | "40001" | "55P03" | "25P03" | "25P02" | "25006")
}

/// Busy, locked, no memory, read-only, interrupted, I/O, full, cannot open, lock protocol: the file or the disk, not
/// the row. The low byte is the kind, the rest says more.
fn is_transient_sqlite_code(code: i32) -> bool {
    matches!(code & 0xff, 5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15)
}

impl Error {
    /// One row of what was asked is at fault: without it the rest can be written.
    pub fn is_row_error(&self) -> bool {
        let Error::Database(sqlx::Error::Database(db)) = self else { return false };
        let Some(code) = db.code() else { return false };
        if db.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            // Constraint, too big, mismatch.
            return code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 18..=20));
        }
        // Data exception, integrity constraint, raised by a trigger of the operator's.
        code.starts_with("22") || code.starts_with("23") || code == "P0001"
    }

    /// The connection is of no more use, and those made before it most likely neither.
    /// An answer that did not come.
    pub fn connection_lost() -> Self {
        sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()
    }

    pub(crate) fn is_connection_broken(&self) -> bool {
        match self {
            Error::Database(sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut) => true,
            // 57: ended by an operator or a restart.
            Error::Database(sqlx::Error::Database(db)) => db.code().is_some_and(|code| code.starts_with("57")),
            _ => false,
        }
    }
}

#[cfg(test)]
impl Error {
    /// As when every connection is taken.
    pub(crate) fn busy() -> Self {
        sqlx::Error::PoolTimedOut.into()
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// Runs a query body against the readers' pool of whichever database this is.
macro_rules! on_reader {
    ($store:expr, $pool:ident => $body:expr) => {
        match $store {
            $crate::store::Store::Postgres(db) => {
                let $pool = db.pool();
                $crate::store::with_deadline(async { Ok($body) }).await?
            }
            $crate::store::Store::Sqlite(db) => {
                let $pool = db.readers();
                $crate::store::with_deadline(async { Ok($body) }).await?
            }
        }
    };
}

/// Longer than the database itself lets a statement take: who waits longer has a link that swallows.
const QUERY_DEADLINE: Duration = Duration::from_secs(12);

/// A query that is given up leaves its connection to the pool, which asks it before it is used again.
pub(crate) async fn with_deadline<T>(query: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(QUERY_DEADLINE, query).await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()))
}

/// Runs a body in one transaction: committed if it gives a value, rolled back if `?` leaves it.
/// `$lock` tells the body whether row locks exist here; on SQLite the transaction is the lock.
macro_rules! in_transaction {
    ($store:expr, |$tx:ident, $dialect:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Postgres(db) => {
                let mut connection = db.pool().acquire().await?;
                let settled = $crate::store::with_deadline(async {
                    let mut transaction = sqlx::Connection::begin(&mut *connection).await?;
                    let outcome: $crate::store::Result<_> = async {
                        let $tx = &mut *transaction;
                        let $dialect = $crate::store::Dialect::Postgres;
                        Ok($body)
                    }
                    .await;
                    match outcome {
                        Ok(value) => {
                            transaction.commit().await?;
                            Ok(Ok(value))
                        }
                        Err(error) => {
                            transaction.rollback().await?;
                            Ok(Err(error))
                        }
                    }
                })
                .await;
                match settled {
                    Ok(outcome) => outcome?,
                    Err(fault) => {
                        // Its state is not known: nobody gets it again.
                        drop(connection.detach());
                        return Err(fault);
                    }
                }
            }
            $crate::store::Store::Sqlite(db) => {
                let mut writer = db.writer().await?;
                let mut transaction = writer.begin().await?;
                let outcome: $crate::store::Result<_> = async {
                    let $tx = &mut *transaction;
                    let $dialect = $crate::store::Dialect::Sqlite;
                    Ok($body)
                }
                .await;
                match outcome {
                    Ok(value) => {
                        transaction.commit().await?;
                        writer.put_back();
                        value
                    }
                    Err(error) => {
                        if transaction.rollback().await.is_ok() && matches!(error, $crate::store::Error::Refused(_)) {
                            writer.put_back();
                        }
                        return Err(error);
                    }
                }
            }
        }
    };
}

pub(crate) use {in_transaction, on_reader};

/// Which of two texts of a statement to use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// `for update` where rows can be locked one by one.
    pub fn pick(self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        match self {
            Dialect::Postgres => postgres,
            Dialect::Sqlite => sqlite,
        }
    }
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…`. SQLite is created and migrated at once; Postgres is migrated by
    /// `livesouk migrate` alone, and refused here while migrations are missing.
    pub async fn open(url: &str, clock: Clock, sell_connections: usize) -> Result<Self> {
        match url.split_once(':') {
            Some(("sqlite", path)) => Ok(Store::Sqlite(sqlite::Sqlite::open(path, clock).await?.into())),
            Some(("postgres" | "postgresql", _)) => {
                let postgres = postgres::Postgres::open(url, sell_connections).await?;
                postgres.check_migrated().await?;
                Ok(Store::Postgres(postgres.into()))
            }
            _ => Err(Error::Setup(format!("`{url}` is neither sqlite:PATH nor postgres://…"))),
        }
    }

    /// Brings a database up to this version. Safe to run twice, and from two processes at once.
    pub async fn migrate(url: &str, clock: Clock) -> Result<()> {
        match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => postgres::Postgres::migrate(url).await,
            _ => Self::open(url, clock, 1).await.map(|_| ()),
        }
    }

    /// The database's own clock, which decides about windows and holds.
    pub async fn now(&self) -> Result<Millis> {
        match self {
            Store::Postgres(db) => db.now().await,
            Store::Sqlite(db) => Ok(db.clock().now()),
        }
    }

    /// The first half of every `v`: raised when versions may have started anew (a failover, a restart on SQLite).
    pub async fn epoch(&self) -> Result<i64> {
        match self {
            Store::Postgres(db) => db.epoch().await,
            Store::Sqlite(db) => Ok(db.epoch()),
        }
    }

    /// What the hot row costs, for the metrics.
    pub fn counters(&self) -> &StoreCounters {
        match self {
            Store::Postgres(db) => db.counters(),
            Store::Sqlite(db) => db.counters(),
        }
    }

    /// The pools of connections as they are now.
    pub fn pools(&self) -> [PoolUsage; 2] {
        match self {
            Store::Postgres(db) => [PoolUsage::from_pool("general", db.pool()), db.selling().usage()],
            Store::Sqlite(db) => [PoolUsage::from_pool("general", db.readers()), db.writer_usage()],
        }
    }

    /// Ends the connections; what is committed stays.
    pub async fn close(&self) {
        match self {
            Store::Postgres(db) => db.pool().close().await,
            Store::Sqlite(db) => db.close().await,
        }
    }
}

/// The time inside a transaction: the database's where it has a clock, else ours.
macro_rules! now_in {
    ($store:expr, $tx:ident) => {
        match $store {
            $crate::store::Store::Postgres(_) => {
                sqlx::query_scalar::<_, i64>($crate::store::postgres::SELECT_NOW).fetch_one(&mut *$tx).await?
            }
            $crate::store::Store::Sqlite(db) => db.clock().now(),
        }
    };
}
pub(crate) use now_in;

fn titles_to_json(titles: &Titles) -> String {
    serde_json::to_string(titles).unwrap_or_else(|_| "{}".to_owned())
}

fn titles_from_json(text: &str) -> Result<Titles> {
    serde_json::from_str(text).map_err(|error| Error::CorruptRow(error.to_string()))
}

fn require_known<T>(value: Option<T>, what: &str, text: &str) -> Result<T> {
    value.ok_or_else(|| Error::CorruptRow(format!("{what} `{text}`")))
}
