//! Connections to PostgreSQL that are borrowed for a query, a transaction or a batch of purchases.
//!
//! The pool of sqlx is not used. It pings each connection that is returned, without a deadline, and frees the connection's place only
//! afterwards. When a request is cancelled on a silent network link, that place stays occupied until the operating system closes the
//! connection, which may never happen. Here a connection that is not given back is closed, and its place is free at once.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout, timeout_at};

use super::postgres_connection::{connect_for_selling, connect_to_primary, is_primary};
use super::silent_link::SilentLink;
use super::{Error, PoolUsage, Result};

/// How long a request waits for a connection.
pub const ACQUIRE_DEADLINE: Duration = Duration::from_secs(3);
/// A batch waits at most 3 s for its lock; a batch that takes longer than this has lost its connection.
const BATCH_DEADLINE: Duration = Duration::from_secs(4);
/// Longer than the time that the database itself gives a statement (10 s): a query that takes longer has a connection
/// that swallows what is sent over it.
const QUERY_DEADLINE: Duration = Duration::from_secs(12);
/// While the server starts, or there is no primary, a connection is tried again after this time, then after longer ones.
const FIRST_CONNECT_PAUSE: Duration = Duration::from_millis(10);
const CONNECT_PAUSE_MAX: Duration = Duration::from_millis(600);
/// A connection that nobody has used for so long is closed: the server has the memory for others.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// An older connection is closed after its use: the memory that its server process has gathered becomes free.
const AGE_MAX: Duration = Duration::from_secs(1_800);
/// How long the end of the server waits for borrowed connections, and then for the last word to each idle one.
const CLOSE_DEADLINE: Duration = Duration::from_secs(3);

/// Gives a query or a transaction up at the deadline.
pub async fn with_deadline<T>(query: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(QUERY_DEADLINE, query).await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()))
}

/// What the connections of a pool are for, which decides how they are checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionUse {
    /// Single queries: each idle connection is asked first whether its server is the primary.
    Queries,
    /// Transactions, whose first statement asks.
    Transactions,
    /// Batches of purchases. A new connection is tried once, because a batch that fails is retried as a whole.
    Selling,
}

#[derive(Debug)]
pub struct ConnectionPool {
    name: &'static str,
    connection_use: ConnectionUse,
    options: PgConnectOptions,
    /// The connection that was used last is at the end.
    idle: Mutex<VecDeque<IdleConnection>>,
    permits: Semaphore,
    size: usize,
    link: SilentLink,
}

#[derive(Debug)]
struct IdleConnection {
    connection: PgConnection,
    opened_at: Instant,
    since: Instant,
}

impl ConnectionPool {
    pub fn new(
        name: &'static str,
        connection_use: ConnectionUse,
        options: PgConnectOptions,
        size: usize,
        link: &SilentLink,
    ) -> Self {
        let (idle, permits) = (Mutex::new(VecDeque::with_capacity(size)), Semaphore::new(size));
        Self { name, connection_use, options, idle, permits, size, link: link.clone() }
    }

    /// Waits for a connection, at most [`ACQUIRE_DEADLINE`]. Unless it is [given back](BorrowedConnection::give_back), it is closed: after
    /// a fault, or a request that was cancelled, its state is not known.
    pub async fn borrow(&self) -> Result<BorrowedConnection<'_>> {
        let give_up = Instant::now() + ACQUIRE_DEADLINE;
        let wait = timeout_at(give_up.into(), self.permits.acquire());
        let permit = wait.await.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        self.check_out(permit, give_up).await
    }

    /// Runs a query on a connection of the pool, with a deadline.
    pub async fn query<T>(&self, run: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> Result<T> {
        // Boxed: every use case that asks the database would contain it.
        with_deadline(Box::pin(async {
            let mut borrowed = self.borrow().await?;
            let result = run(&mut borrowed.connection).await.map_err(Error::from);
            if result.as_ref().err().is_none_or(Error::leaves_connection_usable) {
                borrowed.give_back();
            }
            result
        }))
        .await
    }

    /// Reserves a second connection for a selling task that has one and wants to queue for its next turn. Only while half
    /// of the connections are free: no task may wait for its first connection because another has its second.
    pub fn spare(&self) -> Option<SparePermit<'_>> {
        let permit = self.permits.try_acquire().ok()?;
        (self.size / 2 <= self.permits.available_permits()).then_some(SparePermit { owner: self, permit })
    }

    async fn check_out<'a>(&'a self, permit: SemaphorePermit<'a>, give_up: Instant) -> Result<BorrowedConnection<'a>> {
        while let Some(IdleConnection { mut connection, opened_at, .. }) = self.pop_idle() {
            if self.is_usable(&mut connection).await {
                return Ok(BorrowedConnection { connection, opened_at, owner: self, _permit: permit });
            }
        }
        let connection = self.connect(give_up).await?;
        Ok(BorrowedConnection { connection, opened_at: Instant::now(), owner: self, _permit: permit })
    }

    /// Whether an idle connection may be used again. If it may not, those beside it, which were opened before the fault, are closed too:
    /// to find that out one by one would delay a request each.
    async fn is_usable(&self, connection: &mut PgConnection) -> bool {
        if self.connection_use != ConnectionUse::Queries {
            return true;
        }
        let asked_at = Instant::now();
        let found = is_primary(connection).await;
        if matches!(found, Err(sqlx::Error::PoolTimedOut)) {
            self.link.went_silent(asked_at);
        }
        let is_usable = matches!(found, Ok(true));
        if !is_usable {
            self.close_idle();
        }
        is_usable
    }

    async fn connect(&self, give_up: Instant) -> Result<PgConnection> {
        if self.connection_use == ConnectionUse::Selling {
            return connect_for_selling(&self.options).await;
        }
        let mut pause = FIRST_CONNECT_PAUSE;
        loop {
            let connect = timeout_at(give_up.into(), connect_to_primary(&self.options)).await;
            if let Some(connection) = connect.map_err(|_| sqlx::Error::PoolTimedOut)?? {
                return Ok(connection);
            }
            timeout_at(give_up.into(), sleep(pause)).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
            pause = (pause * 2).min(CONNECT_PAUSE_MAX);
        }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<IdleConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last. When the link went silent after that, so did all others.
    fn pop_idle(&self) -> Option<IdleConnection> {
        let mut idle = self.idle();
        if idle.back().is_some_and(|last| self.link.includes(last.since)) {
            idle.clear();
        }
        idle.pop_back()
    }

    /// Closes the idle connections. When one connection broke, the others most likely are broken too, and to find that
    /// out one by one would cost a failed request each.
    fn close_idle(&self) {
        self.idle().clear();
    }

    pub fn usage(&self) -> PoolUsage {
        let used = self.size.saturating_sub(self.permits.available_permits());
        PoolUsage { name: self.name, in_use: used, idle: self.idle().len(), max: self.size }
    }

    /// Closes the connections, after those that are borrowed have come back or the deadline is over. None is lent afterwards.
    pub async fn close(&self) {
        let all = u32::try_from(self.size).unwrap_or(u32::MAX);
        drop(timeout(CLOSE_DEADLINE, self.permits.acquire_many(all)).await);
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        let close = async {
            for idle in idle {
                // The server ends the session itself when it misses this message.
                drop(idle.connection.close().await);
            }
        };
        drop(timeout(CLOSE_DEADLINE, close).await);
    }
}

/// The permit for a second connection.
pub struct SparePermit<'a> {
    owner: &'a ConnectionPool,
    permit: SemaphorePermit<'a>,
}

impl<'a> SparePermit<'a> {
    pub async fn borrow(self) -> Result<BorrowedConnection<'a>> {
        self.owner.check_out(self.permit, Instant::now() + ACQUIRE_DEADLINE).await
    }
}

#[derive(Debug)]
pub struct BorrowedConnection<'a> {
    connection: PgConnection,
    opened_at: Instant,
    owner: &'a ConnectionPool,
    _permit: SemaphorePermit<'a>,
}

impl BorrowedConnection<'_> {
    /// Runs one step of a batch with its deadline. If the connection broke, the idle connections are closed too, because
    /// they were opened before the fault.
    pub async fn run_step<T>(&mut self, step: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let asked_at = Instant::now();
        let result = timeout(BATCH_DEADLINE, step(&mut self.connection)).await;
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

    /// Returns the connection for the next use. Only outside of a transaction.
    pub fn give_back(self) {
        let Self { connection, opened_at, owner, _permit } = self;
        let now = Instant::now();
        if now - opened_at >= AGE_MAX || owner.permits.is_closed() {
            return;
        }
        let mut idle = owner.idle();
        while idle.front().is_some_and(|oldest| now - oldest.since >= IDLE_MAX) {
            idle.pop_front();
        }
        idle.push_back(IdleConnection { connection, opened_at, since: now });
    }
}

impl Deref for BorrowedConnection<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for BorrowedConnection<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
