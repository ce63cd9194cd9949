//! Runs the migrations on PostgreSQL while other nodes sell.
//!
//! A change of a table waits for its lock for a second at most, because every purchase would queue behind it; then it lets the
//! others go first and tries again. An index on a table that grows is built `concurrently`, in a file that begins with
//! `-- no-transaction`: sales continue meanwhile. A build that died leaves an invalid index, which is dropped and built again.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::{Instant, sleep};

use super::{Error, Result};

/// Where sqlx notes the migrations that were applied.
const TABLE: &str = "_sqlx_migrations";
/// How long a migration may keep others waiting behind it in the queue for a table.
const LOCK_TIMEOUT: &str = "set lock_timeout = '1s'";
/// The build of an index waits only for transactions that began before it, and nobody waits behind it.
const BUILD_LOCK_TIMEOUT: &str = "set lock_timeout = '10min'";
/// Two processes that migrate: the second asks again and again. If it waited in the database, its open snapshot and the other's
/// index build would wait for each other.
const TURN_LOCK_TIMEOUT: &str = "set lock_timeout = '200ms'";
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The maximum number of tries, in about a minute, until the migration fails: something keeps the table locked.
const LOCK_ATTEMPTS_MAX: u32 = 40;
/// How long another process may migrate.
const TURN_DEADLINE: Duration = Duration::from_secs(3_600);

const CONCURRENT_BUILD: &str = "create index concurrently if not exists ";
const CONCURRENT_UNIQUE_BUILD: &str = "create unique index concurrently if not exists ";

/// Applies the migrations that are missing, in order.
pub(super) async fn migrate(connection: &mut PgConnection, migrator: &Migrator) -> Result<()> {
    take_turn(connection).await?;
    let migrated = apply_missing(connection, migrator).await;
    // If the connection broke, the database has released the lock already.
    let released = connection.unlock().await;
    migrated?;
    Ok(released?)
}

async fn take_turn(connection: &mut PgConnection) -> Result<()> {
    execute(connection, TURN_LOCK_TIMEOUT).await?;
    let give_up = Instant::now() + TURN_DEADLINE;
    loop {
        match connection.lock().await.map_err(Error::from) {
            Err(fault) if fault.is_lock_timeout() && Instant::now() < give_up => sleep(RETRY_PAUSE / 2).await,
            outcome => return outcome,
        }
    }
}

async fn apply_missing(connection: &mut PgConnection, migrator: &Migrator) -> Result<()> {
    let table = TABLE;
    execute(connection, LOCK_TIMEOUT).await?;
    retry_lock_timeouts(connection, async |connection| Ok(connection.ensure_migrations_table(table).await?)).await?;
    let applied = retry_lock_timeouts(connection, async |connection| {
        if let Some(version) = connection.dirty_version(table).await? {
            return Err(MigrateError::Dirty(version).into());
        }
        Ok(connection.list_applied_migrations(table).await?)
    });
    let applied: HashMap<_, _> = applied.await?.into_iter().map(|done| (done.version, done.checksum)).collect();
    if let Some(newer) = applied.keys().find(|version| !migrator.version_exists(**version)) {
        return Err(MigrateError::VersionMissing(*newer).into());
    }
    for migration in migrator.iter() {
        match applied.get(&migration.version) {
            Some(checksum) if *checksum != migration.checksum => {
                return Err(MigrateError::VersionMismatch(migration.version).into());
            }
            Some(_) => {}
            None if migration.no_tx => build_indexes(connection, table, migration).await?,
            None => {
                let apply = async |connection: &mut PgConnection| {
                    connection.apply(table, migration).await?;
                    Ok(())
                };
                retry_lock_timeouts(connection, apply).await?;
            }
        }
    }
    Ok(())
}

/// Runs a step again while another transaction keeps what it needs locked. The step is one transaction, so it was undone.
async fn retry_lock_timeouts<T>(
    connection: &mut PgConnection,
    mut step: impl AsyncFnMut(&mut PgConnection) -> Result<T>,
) -> Result<T> {
    let mut attempts = 1;
    loop {
        match step(connection).await {
            Err(fault) if fault.is_lock_timeout() && attempts < LOCK_ATTEMPTS_MAX => {
                tracing::warn!(attempts, "a migration waits: another transaction has the table locked");
                attempts += 1;
                sleep(RETRY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Runs a file without a transaction, statement by statement. Each of them may have been done before.
async fn build_indexes(connection: &mut PgConnection, table: &str, migration: &Migration) -> Result<()> {
    execute(connection, BUILD_LOCK_TIMEOUT).await?;
    for statement in statements(migration.sql.as_str()) {
        if let Some(index) = built_index(&statement)
            && is_invalid(connection, index).await?
        {
            tracing::warn!(index, "the build of an index was interrupted; it is built again");
            execute(connection, &format!("drop index concurrently {index}")).await?;
        }
        execute(connection, &statement).await?;
    }
    execute(connection, LOCK_TIMEOUT).await?;
    // It only notes that the migration is done.
    Ok(connection.skip(table, migration).await?)
}

/// The statements of a file that has no text with a semicolon in it, without the comments.
fn statements(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
    let statements = code.join("\n");
    statements.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// The name of the index that a statement builds.
fn built_index(statement: &str) -> Option<&str> {
    let rest = statement.strip_prefix(CONCURRENT_BUILD).or_else(|| statement.strip_prefix(CONCURRENT_UNIQUE_BUILD))?;
    rest.split_whitespace().next()
}

async fn is_invalid(connection: &mut PgConnection, index: &str) -> Result<bool> {
    let find = "select exists (select 1 from pg_index where indexrelid = to_regclass($1) and not indisvalid)";
    Ok(sqlx::query_scalar(find).bind(index).fetch_one(connection).await?)
}

async fn execute(connection: &mut PgConnection, statement: &str) -> Result<()> {
    // The files are part of the program, not input.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::row::{PostgresMigrations, migrator};
    use super::*;

    /// These tables are written by purchases, payments and chat: the build of a plain index stops them until it is done.
    const BUSY_TABLES: [&str; 7] = ["orders", "payments", "messages", "outbox", "refunds", "addresses", "audit_log"];
    /// Released before this rule; databases have its checksum.
    const LAST_WITHOUT_RULE: i64 = 19;

    /// What is wrong with the statements of a migration.
    fn faults(sql: &str, is_no_transaction: bool) -> Vec<String> {
        let statements = statements(sql);
        let is_new = |table: &str| statements.iter().any(|one| one.starts_with(&format!("create table {table} ")));
        let mut faults = Vec::new();
        for statement in &statements {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let is_concurrent = words.contains(&"concurrently");
            if is_concurrent && !is_no_transaction {
                faults.push(format!("needs `-- no-transaction`: {statement}"));
            }
            if is_no_transaction && !is_concurrent {
                faults.push(format!("needs a transaction: {statement}"));
            }
            if is_concurrent && statement.starts_with("create") && built_index(statement).is_none() {
                faults.push(format!("needs `if not exists`: {statement}"));
            }
            let on = words.iter().position(|word| *word == "on").and_then(|at| words.get(at + 1));
            if statement.starts_with("create ")
                && words.iter().take(3).any(|word| *word == "index")
                && !is_concurrent
                && on.is_some_and(|table| BUSY_TABLES.contains(table) && !is_new(table))
            {
                faults.push(format!("needs `concurrently`: {statement}"));
            }
        }
        faults
    }

    #[test]
    fn no_new_migration_builds_an_index_under_the_lock_of_a_busy_table() {
        for migration in migrator::<PostgresMigrations>().unwrap().iter() {
            if LAST_WITHOUT_RULE < migration.version {
                let faults = faults(migration.sql.as_str(), migration.no_tx);
                assert_eq!(faults, Vec::<String>::new(), "migration {}", migration.version);
            }
        }
    }

    #[test]
    fn plain_index_on_a_busy_table_is_found() {
        for (sql, is_no_transaction, count) in [
            ("create index a on orders (id);", false, 1),
            ("create unique index a on payments (id);", false, 1),
            ("create table orders (\n  id uuid);\ncreate index a on orders (id);", false, 0),
            ("create index a on shops (id);", false, 0),
            ("create index concurrently if not exists a on orders (id);", true, 0),
            ("create index concurrently a on orders (id);", true, 1),
            ("create index concurrently if not exists a on orders (id);", false, 1),
            ("-- no-transaction\nalter table orders add column x bigint;", true, 1),
        ] {
            assert_eq!(faults(sql, is_no_transaction).len(), count, "{sql}");
        }
    }

    #[test]
    fn statements_are_found_without_their_comments() {
        let sql =
            "-- no-transaction\n-- One; two.\n\ncreate index concurrently if not exists a on b (c);\ndrop index d;\n";
        assert_eq!(statements(sql), ["create index concurrently if not exists a on b (c)", "drop index d"]);
        assert_eq!(built_index(&statements(sql)[0]), Some("a"));
        assert_eq!(built_index("create unique index concurrently if not exists u on b (c)"), Some("u"));
        assert_eq!(built_index("drop index d"), None);
    }

    #[test]
    fn sqlite_has_a_migration_for_each_of_postgres() {
        let names = |all: &mut dyn Iterator<Item = std::borrow::Cow<'static, str>>| all.collect::<Vec<_>>();
        let (ours, theirs) =
            (names(&mut PostgresMigrations::iter()), names(&mut super::super::row::SqliteMigrations::iter()));
        assert_eq!(ours, theirs);
    }
}
