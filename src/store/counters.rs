//! What the database costs, for the metrics: the locks of hot rows, and the connection pools.

use crate::metrics::DurationHistogram;

/// The lock of the offer's row, as batches of purchases met it.
#[derive(Debug, Default)]
pub struct StoreCounters {
    /// From the request of the lock until it is granted. On SQLite the lock is the turn of the one writer.
    pub lock_wait: DurationHistogram,
    /// From the grant of the lock to the end of the commit.
    pub lock_held: DurationHistogram,
}

/// A connection pool at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolUsage {
    pub name: &'static str,
    pub in_use: usize,
    pub idle: usize,
    pub max: usize,
}

impl PoolUsage {
    pub(super) fn from_pool(name: &'static str, pool: &sqlx::SqlitePool) -> Self {
        let idle = pool.num_idle();
        let in_use = (pool.size() as usize).saturating_sub(idle);
        Self { name, in_use, idle, max: pool.options().get_max_connections() as usize }
    }
}
