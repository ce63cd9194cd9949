//! The oldest snapshot of the database: while one is open, PostgreSQL removes no old version of a row.

use super::{Result, Store};
use crate::domain::Millis;

impl Store {
    /// How long the oldest snapshot has been open, in milliseconds: of a transaction, or prepared for a two-phase commit. The row of
    /// a hot offer collects a version for every batch meanwhile, and each batch reads them all. 0 on SQLite.
    ///
    /// A user without the rights of `pg_read_all_stats` sees its own sessions only.
    pub async fn oldest_snapshot_ms(&self) -> Result<Millis> {
        let Store::Postgres(_) = self else { return Ok(0) };
        // A vacuum is not counted: other vacuums do not wait for it.
        let read = "select coalesce((extract(epoch from clock_timestamp() - min(since)) * 1000)::bigint, 0) from (
                select xact_start as since from pg_stat_activity where datname = current_database()
                    and pid <> pg_backend_pid() and (backend_xmin is not null or backend_xid is not null)
                    and backend_type <> 'autovacuum worker'
                union all select prepared from pg_prepared_xacts where database = current_database()) as open";
        let age: Millis = self.query(read).fetch_value().await?;
        Ok(age.max(0))
    }
}
