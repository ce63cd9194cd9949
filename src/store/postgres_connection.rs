//! Opening connections to PostgreSQL: their settings, and what is checked before they are used.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};

use super::{Error, Result};
use crate::connection_url;

const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// A connection that has not answered a ping by this deadline is dead, whatever its socket says: there may be
/// another machine behind the address by now.
pub const PING_DEADLINE: Duration = Duration::from_secs(1);

pub fn connect_options(url: &str) -> Result<PgConnectOptions> {
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

pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
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
pub async fn connect_for_selling(options: &PgConnectOptions) -> Result<PgConnection> {
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
pub async fn is_primary(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let ask = sqlx::raw_sql("select pg_is_in_recovery()").fetch_one(connection);
    let row = tokio::time::timeout(PING_DEADLINE, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(!row.try_get::<bool, _>(0)?)
}

/// Connects for queries and transactions. `None`: try again soon, because the server is starting, has too many connections, is a standby,
/// or does not respond.
pub async fn connect_to_primary(options: &PgConnectOptions) -> Result<Option<PgConnection>> {
    let mut connection = match PgConnection::connect_with(options).await {
        Ok(connection) => connection,
        Err(error) if may_accept_soon(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match is_primary(&mut connection).await {
        Ok(true) => return Ok(Some(connection)),
        Ok(false) => tracing::warn!("the database server is a standby; it is not used until it is promoted"),
        Err(error) => tracing::warn!(%error, "a new connection to the database does not respond"),
    }
    Ok(None)
}

/// Whether the server may accept a connection soon: nothing listens on its port yet, it is starting (57P03), or it has too many
/// connections (53300).
fn may_accept_soon(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P03" || code == "53300"),
        _ => false,
    }
}

pub fn standby_error() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other("this server is a standby; it is not used until it is promoted"))
}
