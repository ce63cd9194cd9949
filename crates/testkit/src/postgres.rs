//! A PostgreSQL database for one test. It is created empty and dropped with the value.
//!
//! `scripts/test` starts the server. Without it the test fails, because a skipped test would look like a passed one.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub const VARIABLE: &str = "LIVESOUK_TEST_POSTGRES";

#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    pub async fn create() -> Database {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: run scripts/test, which starts a PostgreSQL for the tests and sets it")
        });
        let name = format!("livesouk_test_{:016x}", rand::random::<u64>());
        run(&server, &format!("create database {name}")).await.expect("the test database is created");
        Database { server, name }
    }

    /// The URL for `--store`.
    pub fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').expect("the URL ends in a database name");
        format!("{base}/{}", self.name)
    }

    /// The address of the server, for a proxy.
    pub fn address(&self) -> std::net::SocketAddr {
        let host = self.server.split(['/', '@']).find(|part| part.parse::<std::net::SocketAddr>().is_ok());
        host.and_then(|host| host.parse().ok()).expect("the URL has a numeric address")
    }

    /// The URL of the same database at another address, such as a proxy.
    pub fn url_at(&self, address: std::net::SocketAddr) -> String {
        self.url().replace(&self.address().to_string(), &address.to_string())
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the test database accepts connections")
    }
}

impl Drop for Database {
    /// Best effort, on a runtime of its own because the runtime of the test may be ending. `force` closes open connections.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let sql = format!("drop database if exists {name} with (force)");
            let dropping = async { tokio::time::timeout(Duration::from_secs(10), run(&server, &sql)).await };
            runtime.block_on(dropping).unwrap_or(Err(sqlx::Error::PoolTimedOut))
        });
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("the database {} was not dropped: {error}", self.name);
        }
    }
}

async fn run(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}
