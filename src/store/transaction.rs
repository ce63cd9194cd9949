//! Queries and transactions that are written once and run on both databases.
//!
//! [`Store::query`] reads from the pool; [`Store::transaction`] runs its body in one transaction. Functions that are
//! part of several transactions (write an audit log entry, lock an offer) take a `&mut Transaction`. A query has one
//! text where both databases accept it; where a lock or speed needs two texts, [`Transaction::choose`] takes the right
//! one. Only the selling path uses sqlx directly, because each round trip counts there.

use std::time::Instant;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Arguments, Encode, FromRow, Postgres, Sqlite, Type, query_with};

use super::connection_pool::{ACQUIRE_DEADLINE, ConnectionPool, with_deadline};
use super::postgres::{self, SELECT_NOW};
use super::{Error, Result, Store};
use crate::clock::Clock;
use crate::domain::Millis;

/// A row that can be read from both databases: a tuple, or a struct with `from_row!`.
pub(super) trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

impl<T> Row for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

/// The text of a query, the values of its placeholders, and where it runs.
pub(super) struct Query<'c> {
    text: &'static str,
    target: Target<'c>,
    /// Why a value could not be encoded.
    bind_error: Option<BoxDynError>,
}

enum Target<'c> {
    PostgresPool(&'c ConnectionPool, PgArguments),
    Postgres(&'c mut PgConnection, PgArguments),
    SqlitePool(&'c SqlitePool, SqliteArguments),
    Sqlite(&'c mut SqliteConnection, SqliteArguments),
}

/// Rows as they came from the database.
enum Rows {
    Postgres(Vec<PgRow>),
    Sqlite(Vec<SqliteRow>),
}

fn read_rows<R, T>(rows: &[R]) -> Result<Vec<T>>
where
    R: sqlx::Row,
    T: for<'r> FromRow<'r, R>,
{
    Ok(rows.iter().map(T::from_row).collect::<sqlx::Result<_>>()?)
}

impl<'c> Query<'c> {
    /// Sets the value of the next placeholder: of `$1`, then of `$2`, …
    pub fn bind<'v, V>(mut self, value: V) -> Self
    where
        V: Encode<'v, Postgres> + Type<Postgres> + Encode<'v, Sqlite> + Type<Sqlite>,
    {
        let bound = match &mut self.target {
            Target::PostgresPool(_, values) | Target::Postgres(_, values) => values.add(value),
            Target::SqlitePool(_, values) | Target::Sqlite(_, values) => values.add(value),
        };
        self.bind_error = self.bind_error.or(bound.err());
        self
    }

    fn checked(self) -> Result<(&'static str, Target<'c>)> {
        match self.bind_error {
            None => Ok((self.text, self.target)),
            Some(error) => Err(sqlx::Error::Encode(error).into()),
        }
    }

    /// Runs a statement that returns no rows. Gives the number of rows that it changed.
    pub async fn execute(self) -> Result<u64> {
        let (text, target) = self.checked()?;
        Ok(match target {
            Target::PostgresPool(pool, values) => {
                let execute = pool.query(async move |connection| query_with(text, values).execute(connection).await);
                execute.await?.rows_affected()
            }
            Target::SqlitePool(pool, values) => {
                with_deadline(async { Ok(query_with(text, values).execute(pool).await?) }).await?.rows_affected()
            }
            Target::Postgres(connection, values) => query_with(text, values).execute(connection).await?.rows_affected(),
            Target::Sqlite(connection, values) => query_with(text, values).execute(connection).await?.rows_affected(),
        })
    }

    /// Gives every row. They are all in memory at once, so the query needs a limit.
    pub async fn fetch_all<T: Row>(self) -> Result<Vec<T>> {
        match self.fetch_rows().await? {
            Rows::Postgres(rows) => read_rows(&rows),
            Rows::Sqlite(rows) => read_rows(&rows),
        }
    }

    /// Gives the first row, if there is one.
    pub async fn fetch_optional<T: Row>(self) -> Result<Option<T>> {
        Ok(match self.fetch_first().await? {
            Rows::Postgres(rows) => rows.first().map(T::from_row).transpose()?,
            Rows::Sqlite(rows) => rows.first().map(T::from_row).transpose()?,
        })
    }

    /// Waits for the rows. It knows nothing of the type that they become, so it is compiled once and not for each type.
    async fn fetch_rows(self) -> Result<Rows> {
        let (text, target) = self.checked()?;
        Ok(match target {
            Target::PostgresPool(pool, values) => {
                let fetch = pool.query(async move |connection| query_with(text, values).fetch_all(connection).await);
                Rows::Postgres(fetch.await?)
            }
            Target::SqlitePool(pool, values) => {
                Rows::Sqlite(with_deadline(async { Ok(query_with(text, values).fetch_all(pool).await?) }).await?)
            }
            Target::Postgres(connection, values) => {
                Rows::Postgres(query_with(text, values).fetch_all(connection).await?)
            }
            Target::Sqlite(connection, values) => Rows::Sqlite(query_with(text, values).fetch_all(connection).await?),
        })
    }

    /// Waits for the first row.
    async fn fetch_first(self) -> Result<Rows> {
        let (text, target) = self.checked()?;
        Ok(match target {
            Target::PostgresPool(pool, values) => {
                let fetch =
                    pool.query(async move |connection| query_with(text, values).fetch_optional(connection).await);
                Rows::Postgres(fetch.await?.into_iter().collect())
            }
            Target::SqlitePool(pool, values) => {
                let row = with_deadline(async { Ok(query_with(text, values).fetch_optional(pool).await?) }).await?;
                Rows::Sqlite(row.into_iter().collect())
            }
            Target::Postgres(connection, values) => {
                Rows::Postgres(query_with(text, values).fetch_optional(connection).await?.into_iter().collect())
            }
            Target::Sqlite(connection, values) => {
                Rows::Sqlite(query_with(text, values).fetch_optional(connection).await?.into_iter().collect())
            }
        })
    }

    /// Gives the row that must be there.
    pub async fn fetch_one<T: Row>(self) -> Result<T> {
        self.fetch_optional().await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Gives the only column of every row.
    pub async fn fetch_values<T>(self) -> Result<Vec<T>>
    where
        (T,): Row,
    {
        Ok(self.fetch_all::<(T,)>().await?.into_iter().map(|(value,)| value).collect())
    }

    /// Gives the only column of the first row, if there is one.
    pub async fn fetch_optional_value<T>(self) -> Result<Option<T>>
    where
        (T,): Row,
    {
        Ok(self.fetch_optional::<(T,)>().await?.map(|(value,)| value))
    }

    /// Gives the only column of the row that must be there.
    pub async fn fetch_value<T>(self) -> Result<T>
    where
        (T,): Row,
    {
        Ok(self.fetch_one::<(T,)>().await?.0)
    }
}

/// A change of several tables, whose statements all take the same values. On PostgreSQL it is one statement, which saves round trips.
pub(super) struct Change {
    pub postgres: &'static [&'static str],
    pub sqlite: &'static [&'static str],
}

/// A [`Change`] whose parts have one text for both databases. No part sees on PostgreSQL what another one changes.
macro_rules! change {
    ([$first_name:ident: $first:literal $(, $name:ident: $part:literal)*], $last:literal) => {
        $crate::store::transaction::Change {
            postgres: &[concat!(
                "with ", stringify!($first_name), " as (", $first, ")"
                $(, ", ", stringify!($name), " as (", $part, ")")*,
                " ", $last
            )],
            sqlite: &[$first, $($part,)* $last],
        }
    };
}

pub(super) use change;

/// An open transaction on one of the two databases.
pub(super) enum Transaction<'t> {
    Postgres(&'t mut PgConnection),
    Sqlite(&'t mut SqliteConnection, &'t Clock),
}

impl Transaction<'_> {
    pub fn query(&mut self, text: &'static str) -> Query<'_> {
        let target = match self {
            Transaction::Postgres(connection) => Target::Postgres(connection, PgArguments::default()),
            Transaction::Sqlite(connection, _) => Target::Sqlite(connection, SqliteArguments::default()),
        };
        Query { text, target, bind_error: None }
    }

    /// The text for this database. On SQLite no row is locked by name: the transaction itself is the lock.
    pub fn choose(&self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        match self {
            Transaction::Postgres(_) => postgres,
            Transaction::Sqlite(..) => sqlite,
        }
    }

    /// The statements for this database.
    pub fn choose_change(&self, change: &Change) -> &'static [&'static str] {
        match self {
            Transaction::Postgres(_) => change.postgres,
            Transaction::Sqlite(..) => change.sqlite,
        }
    }

    /// The time: that of the database where it has a clock of its own, else that of this process.
    pub async fn now(&mut self) -> Result<Millis> {
        match self {
            Transaction::Postgres(connection) => {
                Ok(sqlx::query_scalar(SELECT_NOW).fetch_one(&mut **connection).await?)
            }
            Transaction::Sqlite(_, clock) => Ok(clock.now()),
        }
    }
}

impl Transaction<'_> {
    /// Makes each further wait for a lock end after a second. On SQLite the transaction itself is the lock.
    pub async fn limit_lock_wait(&mut self) -> Result<()> {
        if let Transaction::Postgres(connection) = self {
            sqlx::raw_sql("set local lock_timeout = '1s'").execute(&mut **connection).await?;
        }
        Ok(())
    }

    /// Waits for other transactions that have locked this name; they end first. On SQLite the transaction itself is the lock.
    pub async fn lock_name(&mut self, name: &str) -> Result<()> {
        if let Transaction::Postgres(_) = self {
            self.query("select pg_advisory_xact_lock(hashtextextended($1, 0))").bind(name).execute().await?;
        }
        Ok(())
    }

    /// Like [`lock_name`](Self::lock_name), beside others that only share it.
    pub async fn lock_name_shared(&mut self, name: &str) -> Result<()> {
        if let Transaction::Postgres(_) = self {
            let lock = "select pg_advisory_xact_lock_shared(hashtextextended($1, 0))";
            self.query(lock).bind(name).execute().await?;
        }
        Ok(())
    }

    /// The time of day, with which times that others wrote are compared: it is not ahead for hours because the system clock
    /// once was.
    pub async fn time_of_day(&mut self) -> Result<Millis> {
        match self {
            Transaction::Postgres(_) => self.now().await,
            Transaction::Sqlite(_, clock) => Ok(clock.time_of_day()),
        }
    }
}

impl Store {
    /// A query outside of any transaction, on the pool for reading.
    pub(super) fn query(&self, text: &'static str) -> Query<'_> {
        let target = match self {
            Store::Postgres(db) => Target::PostgresPool(db.reads(), PgArguments::default()),
            Store::Sqlite(db) => Target::SqlitePool(db.readers(), SqliteArguments::default()),
        };
        Query { text, target, bind_error: None }
    }

    /// A query of a report, a list or an export, which may read much: on a pool of its own, so that it takes no connection from
    /// others, and with a shorter time on PostgreSQL.
    pub(super) fn report_query(&self, text: &'static str) -> Query<'_> {
        let target = match self {
            Store::Postgres(db) => Target::PostgresPool(db.reports(), PgArguments::default()),
            Store::Sqlite(db) => Target::SqlitePool(db.reports(), SqliteArguments::default()),
        };
        Query { text, target, bind_error: None }
    }

    /// The text for this database.
    pub(super) fn choose(&self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        match self {
            Store::Postgres(_) => postgres,
            Store::Sqlite(_) => sqlite,
        }
    }

    /// Runs a body in one transaction: commits if the body gives a value, rolls back if it gives an error. If the reply to the commit
    /// is lost, the error is [`Error::CommitLost`].
    ///
    /// After a fault the state of the connection is not known, so it is closed and not used again.
    pub(super) async fn transaction<T>(&self, body: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        match self {
            Store::Postgres(db) => transaction_on_postgres(db, body).await,
            Store::Sqlite(db) => {
                let mut writer = db.writer().await?;
                let mut transaction = writer.begin().await?;
                let outcome = body(&mut Transaction::Sqlite(&mut transaction, db.clock())).await;
                let is_clean = match &outcome {
                    Ok(_) => {
                        transaction.commit().await?;
                        true
                    }
                    Err(error) => transaction.rollback().await.is_ok() && matches!(error, Error::Refused(_)),
                };
                if is_clean {
                    writer.put_back();
                }
                outcome
            }
        }
    }
}

/// A transaction that did not begin, because its pooled connection is dead or leads to a standby, is tried on the next connection.
async fn transaction_on_postgres<T>(
    db: &postgres::Postgres,
    body: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let give_up = Instant::now() + ACQUIRE_DEADLINE;
    let mut body = Some(body);
    loop {
        // Boxed: every use case that changes the database would contain it.
        let mut connection = Box::pin(db.money().borrow()).await?;
        let mut is_committing = false;
        let ended = with_deadline(async {
            let mut transaction = db.begin(&mut connection).await?;
            let Some(body) = body.take() else { return Err(Error::connection_lost()) };
            let outcome = body(&mut Transaction::Postgres(&mut transaction)).await;
            match outcome {
                Ok(_) => {
                    is_committing = true;
                    transaction.commit().await?;
                }
                Err(_) => transaction.rollback().await?,
            }
            Ok(outcome)
        })
        .await;
        match ended {
            Ok(Err(fault)) if fault.is_read_only_server() => return Err(fault),
            Ok(outcome) => {
                connection.give_back();
                return outcome;
            }
            Err(fault) => {
                let has_begun = body.is_none();
                if has_begun || Instant::now() >= give_up {
                    return Err(if is_committing { fault.of_commit() } else { fault });
                }
            }
        }
    }
}
