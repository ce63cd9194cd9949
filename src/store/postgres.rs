//! The PostgreSQL side: connection pools for transactions, for reads and for reports, so that none of them waits for the others, and a
//! few separate connections for selling.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::row::{PostgresMigrations, migrator};
use super::silent_link::SilentLink;
use super::{Error, PoolUsage, Result, StoreCounters, migration};
use crate::connection_url;
use crate::domain::Millis;

/// `clock_timestamp()`, never `now()`: the start of a transaction is before its wait for the lock.
pub(super) const SELECT_NOW: &str = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";

/// The WAL timeline. A failover raises it: even if commits were lost, what the database says now wins over what clients
/// saw before.
const SELECT_EPOCH: &str = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::bigint";

/// Connections of each pool; docs/operate.md adds them up.
const MONEY_CONNECTIONS: u32 = 10;
const READ_CONNECTIONS: u32 = 8;
const REPORT_CONNECTIONS: u32 = 3;
/// A report that takes longer would take longer each time.
const REPORT_TIMEOUT: &str = "3s";
pub(super) const ACQUIRE_DEADLINE: Duration = Duration::from_secs(3);
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// A pooled connection that has not answered a ping by this deadline is dead, whatever its socket says: there may be
/// another machine behind the address by now.
const PING_DEADLINE: Duration = Duration::from_secs(1);
/// It fails on a standby: there its number is divided by zero.
const BEGIN_ON_PRIMARY: &str = "begin; select 1 / (not pg_is_in_recovery())::int";
const DIVISION_BY_ZERO: &str = "22012";
/// A batch waits at most 3 s for its lock; a batch that takes longer than this has lost its connection.
const BATCH_DEADLINE: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub struct Postgres {
    money: PgPool,
    reads: PgPool,
    reports: PgPool,
    selling: SellConnections,
    link: SilentLink,
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
        let pool = |connections, use_check| {
            let link = link.clone();
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_DEADLINE)
                .test_before_acquire(false)
                .after_connect(|connection, _| Box::pin(refuse_standby(connection)))
                .before_acquire(move |connection, usage| {
                    let link = link.clone();
                    Box::pin(async move { is_usable(connection, usage.idle_for, &link, use_check).await })
                })
        };
        Ok(Self {
            money: pool(MONEY_CONNECTIONS, UseCheck::AtBegin).connect_with(general.clone()).await?,
            reads: pool(READ_CONNECTIONS, UseCheck::Ping).connect_lazy_with(general),
            reports: pool(REPORT_CONNECTIONS, UseCheck::Ping).connect_lazy_with(reports),
            selling: SellConnections::new(selling, sell_connections, link.clone()),
            link,
        })
    }

    /// For every transaction: payments, releases, what the team does. Its connections are checked by `begin`.
    pub fn money(&self) -> &PgPool {
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
    pub fn reads(&self) -> &PgPool {
        &self.reads
    }

    /// For queries that may read much.
    pub fn reports(&self) -> &PgPool {
        &self.reports
    }

    pub async fn close(&self) {
        tokio::join!(self.money.close(), self.reads.close(), self.reports.close());
    }

    pub fn counters(&self) -> &StoreCounters {
        &self.selling.counters
    }

    pub fn selling(&self) -> &SellConnections {
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
        let tables: i64 = sqlx::query_scalar("select count(*) from pg_tables where tablename = '_sqlx_migrations'")
            .fetch_one(&self.reads)
            .await?;
        let versions: Vec<i64> = if tables == 0 {
            Vec::new()
        } else {
            sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(&self.reads).await?
        };
        if migrator::<PostgresMigrations>()?.iter().all(|migration| versions.contains(&migration.version)) {
            Ok(())
        } else {
            Err(Error::Setup("the database is not migrated: run `livesouk migrate --store …` first".to_owned()))
        }
    }

    pub async fn now(&self) -> Result<Millis> {
        Ok(sqlx::query_scalar(SELECT_NOW).fetch_one(&self.reads).await?)
    }

    pub async fn epoch(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(SELECT_EPOCH).fetch_one(&self.reads).await?)
    }
}

fn connect_options(url: &str) -> Result<PgConnectOptions> {
    connection_url::check(url).map_err(Error::Setup)?;
    let options = parse_url(url)?.application_name("livesouk");
    // Read committed, whatever the database's own default is: a read after a lock must see what was committed before it.
    // No sequential scans: every look-up has its index, but a plan that was made while a table had one page is kept, and
    // would read the whole table for each buyer of a batch until the statistics follow, a minute into the rush. (The
    // estimated costs of such plans would also start `jit`.)
    Ok(options
        .options([("default_transaction_isolation", "read committed"), ("enable_seqscan", "off"), ("jit", "off")])
        .log_statements(tracing::log::LevelFilter::Trace))
}

/// The connection options of a URL.
fn parse_url(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)?;
    // The library keeps the brackets of an IPv6 address, and then looks for a host of that name.
    let literal = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
    Ok(match literal {
        Some(address) => options.host(&address),
        None => options,
    })
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let connect = PgConnection::connect_with(options);
    match tokio::time::timeout(CONNECT_DEADLINE, connect).await.map_err(|_| sqlx::Error::PoolTimedOut)? {
        Ok(connection) => Ok(connection),
        Err(error) => Err(connect_error(error)),
    }
}

/// Adds a hint to the errors that the operator can fix.
fn connect_error(error: sqlx::Error) -> Error {
    let Some(database_error) = error.as_database_error() else { return error.into() };
    let hint = match database_error.code().as_deref() {
        // PgBouncer: `unsupported startup parameter: options`.
        Some("08P01") if database_error.message().contains("startup parameter") => POOLER_HINT,
        Some("28P01" | "28000") => {
            "check the user name and the password in --store; characters like / ? # @ : % in them must be percent-encoded"
        }
        Some("3D000") => "create the database first: createdb NAME",
        _ => return error.into(),
    };
    Error::Setup(format!("the database refuses the connection: {}; {hint}", database_error.message()))
}

const POOLER_HINT: &str = "connect to PostgreSQL directly: the nodes have small pools of their own. A pooler in between must \
    pass on the `options` of a session and must pool by session";

/// Opens a connection over which orders may be acknowledged, and checks its settings: a pooler in between may drop the
/// settings that a session requests, and then a timeout during a commit that waits for its standby would acknowledge an
/// order that no standby has.
async fn connect_for_selling(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut connection = connect(options).await?;
    let check = "select pg_is_in_recovery(), current_setting('statement_timeout') = '0'
        and current_setting('synchronous_commit') in ('on', 'remote_apply')
        and current_setting('transaction_isolation') = 'read committed'
        and current_setting('idle_in_transaction_session_timeout') <> '0'";
    let check = sqlx::query_as::<_, (bool, bool)>(check).fetch_one(&mut connection);
    match tokio::time::timeout(CONNECT_DEADLINE, check).await.map_err(|_| sqlx::Error::PoolTimedOut)?? {
        (true, _) => Err(standby_error().into()),
        (_, false) => {
            let why = "the database ignores the settings that a selling session requests (statement_timeout, \
                synchronous_commit, …), so orders would not be safe";
            Err(Error::Setup(format!("{why}: {POOLER_HINT}")))
        }
        _ => Ok(connection),
    }
}

/// Whether the server responds and is the primary: a standby would answer from the past, and never change a row. The check of
/// sqlx has no deadline: each dead connection would cost a request the whole deadline for acquiring a connection.
async fn is_primary(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let ask = sqlx::raw_sql("select pg_is_in_recovery()").fetch_one(connection);
    let row = tokio::time::timeout(PING_DEADLINE, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(!row.try_get::<bool, _>(0)?)
}

/// How a pooled connection shows that it may be used again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UseCheck {
    /// It is asked before each use.
    Ping,
    /// Each use begins a transaction, which asks; see `begin`.
    AtBegin,
}

/// Whether a pooled connection may be used again.
async fn is_usable(
    connection: &mut PgConnection,
    idle_for: Duration,
    link: &SilentLink,
    use_check: UseCheck,
) -> sqlx::Result<bool> {
    let asked_at = Instant::now();
    if asked_at.checked_sub(idle_for).is_some_and(|idle_since| link.includes(idle_since)) {
        return Ok(false);
    }
    if use_check == UseCheck::AtBegin {
        return Ok(true);
    }
    let found = is_primary(connection).await;
    if matches!(found, Err(sqlx::Error::PoolTimedOut)) {
        link.went_silent(asked_at);
    }
    found
}

/// A new connection to a standby is closed. Until there is a primary again, requests get a timeout of the pool.
async fn refuse_standby(connection: &mut PgConnection) -> sqlx::Result<()> {
    if is_primary(connection).await? { Ok(()) } else { Err(standby_error()) }
}

fn standby_error() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other("this server is a standby; it is not used until it is promoted"))
}

/// The connections that selling tasks borrow for one batch. They are not part of the pool, so a slow report cannot delay
/// a sale.
#[derive(Debug)]
pub struct SellConnections {
    options: PgConnectOptions,
    /// Each with the time at which it was given back.
    idle: Mutex<Vec<(PgConnection, Instant)>>,
    permits: Semaphore,
    size: usize,
    counters: StoreCounters,
    link: SilentLink,
}

impl SellConnections {
    fn new(options: PgConnectOptions, size: usize, link: SilentLink) -> Self {
        let (idle, permits) = (Mutex::new(Vec::with_capacity(size)), Semaphore::new(size));
        Self { options, idle, permits, size, counters: StoreCounters::default(), link }
    }

    /// Waits for a connection. A connection that is not [given back](BorrowedConnection::give_back) is closed, because
    /// after a fault its state is not known.
    pub async fn borrow(&self) -> Result<BorrowedConnection<'_>> {
        let wait = tokio::time::timeout(ACQUIRE_DEADLINE, self.permits.acquire());
        let permit = wait.await.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        self.checked_out(permit).await
    }

    /// Reserves a second connection for a selling task that has one and wants to queue for its next turn. Only while half
    /// of the connections are free: no task may wait for its first connection because another has its second.
    pub fn spare(&self) -> Option<SparePermit<'_>> {
        let permit = self.permits.try_acquire().ok()?;
        (self.size / 2 <= self.permits.available_permits()).then_some(SparePermit { owner: self, permit })
    }

    async fn checked_out<'a>(&'a self, permit: SemaphorePermit<'a>) -> Result<BorrowedConnection<'a>> {
        let connection = match self.pop_idle() {
            Some(connection) => connection,
            None => connect_for_selling(&self.options).await?,
        };
        Ok(BorrowedConnection { connection, owner: self, _permit: permit })
    }

    /// The connection that was used last. When the link went silent after that, so did all others.
    fn pop_idle(&self) -> Option<PgConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if idle.last().is_some_and(|(_, since)| self.link.includes(*since)) {
            idle.clear();
        }
        Some(idle.pop()?.0)
    }

    pub fn usage(&self) -> PoolUsage {
        let idle = self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).len();
        let used = self.size.saturating_sub(self.permits.available_permits());
        PoolUsage { name: "selling", in_use: used, idle, max: self.size }
    }

    /// Closes the idle connections. When one connection broke, the others most likely are broken too, and to find that
    /// out one by one would cost a failed batch each.
    fn close_idle(&self) {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}

/// The permit for a second connection.
pub struct SparePermit<'a> {
    owner: &'a SellConnections,
    permit: SemaphorePermit<'a>,
}

impl<'a> SparePermit<'a> {
    pub async fn borrow(self) -> Result<BorrowedConnection<'a>> {
        self.owner.checked_out(self.permit).await
    }
}

#[derive(Debug)]
pub struct BorrowedConnection<'a> {
    connection: PgConnection,
    owner: &'a SellConnections,
    _permit: SemaphorePermit<'a>,
}

impl BorrowedConnection<'_> {
    /// Runs one step of a batch with its deadline. If the connection broke, the idle connections are closed too, because
    /// they were opened before the fault.
    pub async fn run_step<T>(&mut self, step: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let asked_at = Instant::now();
        let result = tokio::time::timeout(BATCH_DEADLINE, step(&mut self.connection)).await;
        let result = result.unwrap_or_else(|elapsed| {
            self.owner.link.went_silent(asked_at);
            Err(sqlx::Error::Io(elapsed.into()).into())
        });
        if let Err(fault) = &result
            && fault.is_connection_broken()
        {
            self.owner.close_idle();
        }
        result
    }

    pub fn counters(&self) -> &StoreCounters {
        &self.owner.counters
    }

    /// Returns the connection for the next batch. Only outside of a transaction.
    pub fn give_back(self) {
        self.owner.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((self.connection, Instant::now()));
    }
}
