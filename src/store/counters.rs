//! What the database costs, for the metrics: the hot row, and the connections.

use crate::metrics::DurationHistogram;

/// What batches of purchases met at the offer's row.
#[derive(Debug, Default)]
pub struct StoreCounters {
    /// From asking for the lock to having it. On SQLite the lock is the only writer's turn.
    pub lock_wait: DurationHistogram,
    /// From having it to the end of the commit.
    pub lock_held: DurationHistogram,
}

/// A pool of connections at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolUsage {
    pub name: &'static str,
    pub in_use: usize,
    pub idle: usize,
    pub max: usize,
}

impl PoolUsage {
    pub(super) fn from_pool<DB: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<DB>) -> Self {
        let idle = pool.num_idle();
        let in_use = (pool.size() as usize).saturating_sub(idle);
        Self { name, in_use, idle, max: pool.options().get_max_connections() as usize }
    }
}
