//! What can go wrong in the store: a refusal found under a lock, or a fault of the database.

use sqlx::migrate::MigrateError;

use crate::domain::Refusal;

#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// A rule refused the request under the lock; nothing was written.
    #[error("{0}")]
    Refused(Refusal),
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The connection failed while a commit was under way: it may have been carried out.
    #[error("the database failed during a commit, whose outcome is not known: {0}")]
    CommitLost(#[source] sqlx::Error),
    #[error("the migrations failed: {0}")]
    Migrate(#[from] MigrateError),
    #[error("{0}")]
    Setup(String),
    /// A row that our own constraints should have made impossible.
    #[error("a stored value cannot be read: {0}")]
    CorruptRow(String),
}

pub type Result<T> = std::result::Result<T, Error>;

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
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Error::Refused(_))
    }

    /// The connection or the server is at fault, not the request: a retry may help.
    pub fn is_transient(&self) -> bool {
        let (Error::Database(error) | Error::CommitLost(error)) = self else { return false };
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

    /// One row of the request is at fault: without it the others can be written.
    pub fn is_row_error(&self) -> bool {
        let Error::Database(sqlx::Error::Database(db)) = self else { return false };
        let Some(code) = db.code() else { return false };
        if db.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            // Too big, constraint, mismatch.
            return code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 18..=20));
        }
        // Data exception, integrity constraint, or an exception raised by a trigger of the operator.
        code.starts_with("22") || code.starts_with("23") || code == "P0001"
    }

    /// The same fault, of a commit that was under way. If the server itself refused the commit, nothing was done; if its session was
    /// ended (class 57) or the reply did not come, nobody knows.
    pub(super) fn of_commit(self) -> Self {
        match self {
            Error::Database(sqlx::Error::Database(db))
                if !db.code().is_some_and(|code| code.starts_with("57") || code.starts_with("08")) =>
            {
                Error::Database(sqlx::Error::Database(db))
            }
            Error::Database(error) => Error::CommitLost(error),
            other => other,
        }
    }

    /// The fault of a reply that did not come.
    pub fn connection_lost() -> Self {
        sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()
    }

    /// Another transaction kept a row locked for too long.
    pub(super) fn is_lock_timeout(&self) -> bool {
        let error = match self {
            Error::Database(error) => error,
            Error::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => error,
            _ => return false,
        };
        matches!(error, sqlx::Error::Database(db) if db.code().is_some_and(|code| code == "55P03"))
    }

    /// The connection is useless, and those opened before it most likely are too.
    pub(crate) fn is_connection_broken(&self) -> bool {
        match self {
            Error::Database(error) | Error::CommitLost(error)
                if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut) =>
            {
                true
            }
            // Class 57: the session was ended by an operator or a restart. Read-only: the server is no primary any more.
            Error::Database(sqlx::Error::Database(db)) | Error::CommitLost(sqlx::Error::Database(db)) => {
                db.code().is_some_and(|code| code.starts_with("57") || code == READ_ONLY)
            }
            _ => false,
        }
    }

    /// The server writes nothing: it is a standby, or another one is taking over. Its connections are of no use.
    pub(super) fn is_read_only_server(&self) -> bool {
        matches!(self, Error::Database(sqlx::Error::Database(db)) if db.code().is_some_and(|code| code == READ_ONLY))
    }

    /// The server refused the statement, as it should, and waits for the next one: the connection of a query outside of a transaction
    /// can be used again.
    pub(super) fn leaves_connection_usable(&self) -> bool {
        matches!(self, Error::Database(sqlx::Error::Database(_)))
            && (!self.is_connection_broken() || self.is_canceled())
    }

    /// The statement took longer than the session allows it.
    fn is_canceled(&self) -> bool {
        matches!(self, Error::Database(sqlx::Error::Database(db)) if db.code().is_some_and(|code| code == "57014"))
    }

    /// The fault of a pool whose connections are all in use.
    #[cfg(test)]
    pub(crate) fn busy() -> Self {
        sqlx::Error::PoolTimedOut.into()
    }
}

/// PostgreSQL: the transaction is read-only.
const READ_ONLY: &str = "25006";

/// Connection, operator and resource classes, deadlock, serialization, lock timeout, frozen session, and a server that
/// is read-only because another one is taking over.
fn is_transient_postgres_code(code: &str) -> bool {
    ["08", "57", "53"].iter().any(|class| code.starts_with(class))
        || matches!(code, "40P01" | "40001" | "55P03" | "25P03" | "25P02" | READ_ONLY)
}

/// Busy, locked, no memory, read-only, interrupted, I/O, full, cannot open, lock protocol: the file or the disk is at
/// fault, not the row. The low byte is the kind of error; the other bytes are details.
fn is_transient_sqlite_code(code: i32) -> bool {
    matches!(code & 0xff, 5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15)
}
