//! What the database costs, for the metrics: the hot row, and the connections.

use crate::metrics::Times;

/// What batches of purchases met at the offer's row.
#[derive(Debug, Default)]
pub struct Tally {
    /// From asking for the lock to having it. On SQLite the lock is the only writer's turn.
    pub lock_wait: Times,
    /// From having it to the end of the commit.
    pub lock_held: Times,
}

/// A pool of connections at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    pub name: &'static str,
    pub used: usize,
    pub idle: usize,
    pub most: usize,
}

impl Pool {
    pub(super) fn of<DB: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<DB>) -> Self {
        let idle = pool.num_idle();
        let used = (pool.size() as usize).saturating_sub(idle);
        Self { name, used, idle, most: pool.options().get_max_connections() as usize }
    }
}
