//! A PostgreSQL database for one test, empty or migrated. It is dropped with the value.
//!
//! `scripts/test` starts the server. Without it the test fails, because a skipped test would look like a passed one.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::migrated::hash_of_migrations;
use crate::shop::migrate;

pub const VARIABLE: &str = "LIVESOUK_TEST_POSTGRES";

#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// An empty database.
    pub async fn create() -> Database {
        let server = server();
        let name = random_name();
        run(&server, &format!("create database {name}")).await.expect("the test database is created");
        Database { server, name }
    }

    /// A database with all migrations: a copy of one that `livesouk migrate` prepared. Most tests need it, and the migrations take ten
    /// times as long as the copy.
    pub async fn migrated() -> Database {
        let (server, name) = (server(), random_name());
        let template = TEMPLATE.get_or_init(|| prepare_template(&server)).await;
        // This also copies the cache file of the system tables, so the first connections open faster.
        let copy = format!("create database {name} template {template} strategy file_copy");
        run(&server, &copy).await.expect("the template is copied");
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

fn server() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run scripts/test, which starts a PostgreSQL for the tests and sets it")
    })
}

fn random_name() -> String {
    format!("livesouk_test_{:016x}", rand::random::<u64>())
}

/// The name of the migrated database that tests copy. It stays on the server, for later runs with the same migrations.
static TEMPLATE: OnceCell<String> = OnceCell::const_new();

async fn prepare_template(server: &str) -> String {
    let name = format!("livesouk_template_{:016x}", hash_of_migrations("postgres"));
    let is_there = || async {
        let mut connection = PgConnection::connect(server).await?;
        let find = sqlx::query_scalar::<_, i64>("select count(*) from pg_database where datname = $1").bind(&name);
        let found = find.fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(found == 1)
    };
    if !is_there().await.expect("the server lists its databases") {
        // Under its final name it is always complete, also when another test program prepares it at the same moment.
        let prepared = Database::create().await;
        migrate(&prepared.url()).await;
        let renamed = run(server, &format!("alter database {} rename to {name}", prepared.name)).await;
        assert!(renamed.is_ok() || is_there().await.is_ok_and(|found| found), "{renamed:?}");
    }
    name
}

async fn run(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}
