//! Migrations: an explicit command on Postgres, safe to run twice and in several processes concurrently.

use std::time::Duration;

use livesouk::clock::Clock;
use livesouk::store::{Error, Result, Store};
use sqlx::Connection;

use super::fixture::{Fixture, facts};
use crate::support::SOON;
use crate::support::postgres::Database;
use crate::support::process::Process;

facts! {
    second_migration_changes_nothing
}

fn migrate(url: &str) -> impl Future<Output = Result<()>> {
    Store::migrate(url, Clock::system())
}

async fn open(url: &str) -> Result<Store> {
    Store::open(url, Clock::system(), 1).await
}

async fn second_migration_changes_nothing(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    shop.hold_one(offer, "ann").await;
    let shop = if shop.is_postgres() { shop } else { shop.reopened().await };
    let url = shop.url.clone();
    if shop.is_postgres() {
        migrate(&url).await.unwrap();
    }
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 1);
    shop.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_concurrent_postgres_migrations_succeed() {
    let database = Database::create().await;
    let url = database.url();
    let one = || migrate(&url);
    let (a, b, c, d, e, f) = tokio::join!(one(), one(), one(), one(), one(), one());
    for done in [a, b, c, d, e, f] {
        done.unwrap();
    }
    open(&url).await.unwrap();
}

#[tokio::test]
async fn two_processes_migrate_postgres_concurrently() {
    let database = Database::create().await;
    let folder = tempfile::tempdir().unwrap();
    let url = database.url();
    let mut both = [(); 2].map(|()| Process::livesouk(&["migrate", "--store", &url], folder.path()));
    for process in &mut both {
        let ended = process.end(SOON).await;
        assert!(ended.success(), "{ended}\n{}", process.stderr());
        assert!(process.stdout().contains("up to date"), "{}", process.stdout());
    }
    open(&url).await.unwrap();
}

/// On SQLite a second process may find the file locked; it never finds it half migrated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sqlite_migrations_succeed_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("shop.db").display());
    let one = || migrate(&url);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    let all = [a, b, c, d];
    assert!(all.iter().any(Result::is_ok), "{all:?}");
    for refused in all.into_iter().filter_map(Result::err) {
        assert!(matches!(&refused, Error::Setup(why) if why.contains("another livesouk")), "{refused}");
    }
    open(&url).await.unwrap();
}

#[tokio::test]
async fn unmigrated_postgres_is_refused_with_the_command_to_run() {
    let database = Database::create().await;
    let refused = async || match open(&database.url()).await {
        Ok(_) => panic!("an unmigrated database was opened"),
        Err(error) => error.to_string(),
    };
    assert!(refused().await.contains("run `livesouk migrate"), "{}", refused().await);
    migrate(&database.url()).await.unwrap();
    open(&database.url()).await.unwrap().close().await;
    let forget = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";
    sqlx::raw_sql(forget).execute(&mut database.connect().await).await.unwrap();
    assert!(refused().await.contains("run `livesouk migrate"), "one migration is missing");
}

/// The migration of a large shop takes longer than a purchase may wait for a lock.
#[tokio::test]
async fn migration_waits_for_a_slow_one() {
    let database = Database::create().await;
    migrate(&database.url()).await.unwrap();
    let mut other = database.connect().await;
    let mut working = other.begin().await.unwrap();
    sqlx::raw_sql("lock table _sqlx_migrations").execute(&mut *working).await.unwrap();
    let url = database.url();
    let finishing = async {
        // Longer than any lock_timeout of the store's pools.
        tokio::time::sleep(Duration::from_millis(4_000)).await;
        working.commit().await
    };
    let (migrated, finished) = tokio::join!(migrate(&url), finishing);
    finished.unwrap();
    migrated.unwrap();
}
