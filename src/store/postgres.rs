//! The PostgreSQL side: connection pools for transactions, for reads and for reports, so that none of them waits for the others, and a
//! few separate connections for selling.

use std::time::Instant;

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::connection_pool::{ConnectionPool, ConnectionUse};
use super::postgres_connection::{PING_DEADLINE, connect, connect_for_selling, connect_options, standby_error};
use super::row::{PostgresMigrations, migrator};
use super::silent_link::SilentLink;
use super::{Error, Result, StoreCounters, migration};
use crate::domain::Millis;

/// `clock_timestamp()`, never `now()`: the start of a transaction is before its wait for the lock.
pub(super) const SELECT_NOW: &str = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";

/// The WAL timeline. A failover raises it: even if commits were lost, what the database says now wins over what clients
/// saw before.
const SELECT_EPOCH: &str = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::bigint";

/// Connections of each pool; docs/operate.md adds them up.
const MONEY_CONNECTIONS: usize = 10;
const READ_CONNECTIONS: usize = 8;
const REPORT_CONNECTIONS: usize = 3;
/// A report that takes longer would take longer each time.
const REPORT_TIMEOUT: &str = "3s";
/// It fails on a standby: there its number is divided by zero.
const BEGIN_ON_PRIMARY: &str = "begin; select 1 / (not pg_is_in_recovery())::int";
const DIVISION_BY_ZERO: &str = "22012";

#[derive(Debug)]
pub struct Postgres {
    money: ConnectionPool,
    reads: ConnectionPool,
    reports: ConnectionPool,
    selling: ConnectionPool,
    link: SilentLink,
    counters: StoreCounters,
}

impl Postgres {
    /// Opens a connection immediately, so that a wrong URL is reported at start.
    pub async fn open(url: &str, sell_connections: usize) -> Result<Self> {
        let options = connect_options(url)?;
        let general = options.clone().options([
            ("statement_timeout", "10s"),
            ("lock_timeout", "3s"),
            ("idle_in_transaction_session_timeout", "5s"),
            // These connections confirm payments, so the database's own default does not count.
            ("synchronous_commit", "on"),
        ]);
        // `statement_timeout = 0`: a timeout during a commit that waits for its standby would acknowledge an order that
        // no standby has. `idle_in_transaction…`: a frozen node must not keep the hot row locked.
        let selling = options.application_name("livesouk sell").options([
            ("statement_timeout", "0"),
            ("lock_timeout", "3s"),
            ("idle_in_transaction_session_timeout", "2s"),
            ("synchronous_commit", "on"),
        ]);
        // The pool retries and then reports only a timeout; a plain connection reports the cause.
        connect(&general).await?.close().await?;
        connect_for_selling(&selling).await?.close().await?;
        let reports = general.clone().options([("statement_timeout", REPORT_TIMEOUT)]);
        let link = SilentLink::default();
        let money =
            ConnectionPool::new("money", ConnectionUse::Transactions, general.clone(), MONEY_CONNECTIONS, &link);
        money.borrow().await?.give_back();
        Ok(Self {
            money,
            reads: ConnectionPool::new("reads", ConnectionUse::Queries, general, READ_CONNECTIONS, &link),
            reports: ConnectionPool::new("reports", ConnectionUse::Queries, reports, REPORT_CONNECTIONS, &link),
            selling: ConnectionPool::new("selling", ConnectionUse::Selling, selling, sell_connections, &link),
            link,
            counters: StoreCounters::default(),
        })
    }

    /// For every transaction: payments, releases, what the team does. Its connections are checked by `begin`.
    pub fn money(&self) -> &ConnectionPool {
        &self.money
    }

    /// Begins a transaction, and finds out in the same round trip whether the server responds and is the primary. After an error the
    /// connection must be closed.
    pub async fn begin<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> sqlx::Result<sqlx::Transaction<'c, sqlx::Postgres>> {
        let asked_at = Instant::now();
        match tokio::time::timeout(PING_DEADLINE, connection.begin_with(BEGIN_ON_PRIMARY)).await {
            Ok(Err(sqlx::Error::Database(error))) if error.code().is_some_and(|code| code == DIVISION_BY_ZERO) => {
                Err(standby_error())
            }
            Ok(begun) => begun,
            Err(_) => {
                self.link.went_silent(asked_at);
                Err(sqlx::Error::PoolTimedOut)
            }
        }
    }

    /// For single look-ups.
    pub fn reads(&self) -> &ConnectionPool {
        &self.reads
    }

    /// For queries that may read much.
    pub fn reports(&self) -> &ConnectionPool {
        &self.reports
    }

    pub async fn close(&self) {
        tokio::join!(self.money.close(), self.reads.close(), self.reports.close(), self.selling.close());
    }

    pub fn counters(&self) -> &StoreCounters {
        &self.counters
    }

    pub fn selling(&self) -> &ConnectionPool {
        &self.selling
    }

    /// Migrates on a connection of its own, without a limit for a statement: a large table takes long.
    pub async fn migrate(url: &str) -> Result<()> {
        let options = connect_options(url)?.options([("statement_timeout", "0")]);
        let mut connection = connect(&options).await?;
        migration::migrate(&mut connection, &migrator::<PostgresMigrations>()?).await?;
        Ok(connection.close().await?)
    }

    pub async fn check_migrated(&self) -> Result<()> {
        let count = "select count(*) from pg_tables where tablename = '_sqlx_migrations'";
        let tables: i64 = self.reads.query(async |reads| sqlx::query_scalar(count).fetch_one(reads).await).await?;
        let list = "select version from _sqlx_migrations where success";
        let versions: Vec<i64> = match tables {
            0 => Vec::new(),
            _ => self.reads.query(async |reads| sqlx::query_scalar(list).fetch_all(reads).await).await?,
        };
        if migrator::<PostgresMigrations>()?.iter().all(|migration| versions.contains(&migration.version)) {
            Ok(())
        } else {
            Err(Error::Setup("the database is not migrated: run `livesouk migrate --store …` first".to_owned()))
        }
    }

    pub async fn now(&self) -> Result<Millis> {
        self.reads.query(async |reads| sqlx::query_scalar(SELECT_NOW).fetch_one(reads).await).await
    }

    pub async fn epoch(&self) -> Result<i64> {
        self.reads.query(async |reads| sqlx::query_scalar(SELECT_EPOCH).fetch_one(reads).await).await
    }
}
