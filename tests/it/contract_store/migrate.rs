//! Migrations: an explicit command on PostgreSQL, safe to run twice and in several processes concurrently.

use std::time::Duration;

use livesouk::clock::Clock;
use livesouk::domain::{AuditAction, BlockAction, LinkRule, OfferId, StreamId, UserId};
use livesouk::store::{Error, Result, Store};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use uuid::Uuid;

use super::builders::key;
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

/// An index build that died leaves an index that is never used and still costs every write.
#[tokio::test]
async fn interrupted_index_build_is_built_again() {
    let database = Database::create().await;
    migrate(&database.url()).await.unwrap();
    let mut connection = database.connect().await;
    for (sql, fails) in [
        ("drop index sanctions_of_user", false),
        (
            "insert into sanctions (stream, user_id, kind, user_name, by_user, created_at, person)
            select gen_random_uuid(), 'ann', 'ban', '', 'mo', 1, 'ann' from generate_series(1, 2)",
            false,
        ),
        // Like a build that is interrupted, this leaves an invalid index.
        ("create unique index concurrently sanctions_of_user on sanctions (user_id)", true),
        ("delete from _sqlx_migrations where version = 23", false),
    ] {
        assert_eq!(sqlx::raw_sql(sql).execute(&mut connection).await.is_err(), fails, "{sql}");
    }
    let invalid = "select count(*) from pg_index where not indisvalid";
    assert_eq!(sqlx::query_scalar::<_, i64>(invalid).fetch_one(&mut connection).await.unwrap(), 1);
    migrate(&database.url()).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(invalid).fetch_one(&mut connection).await.unwrap(), 0);
    let made = "select indexdef from pg_indexes where indexname = 'sanctions_of_user'";
    let made: String = sqlx::query_scalar(made).fetch_one(&mut connection).await.unwrap();
    assert_eq!(made, "CREATE INDEX sanctions_of_user ON public.sanctions USING btree (user_id)");
}

/// Everything that needs a table queues behind a migration that waits for it.
#[tokio::test]
async fn purchases_pass_a_migration_that_waits_for_their_table() {
    let database = Database::create().await;
    let mut reader = database.connect().await;
    migrations_until("postgres", BEFORE_CHANGES_OF_ORDERS).await.run(&mut reader).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    sqlx::raw_sql("select count(*) from orders").execute(&mut *reading).await.unwrap();
    let mut buyer = database.connect().await;
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let buying = async {
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut buyer).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // A purchase waits for a lock for 3 s at most.
        for _ in 0..3 {
            let buy = "set lock_timeout = '3s'; begin; lock table orders in row exclusive mode; commit";
            sqlx::raw_sql(buy).execute(&mut buyer).await.unwrap();
        }
        reading.commit().await.unwrap();
    };
    let url = database.url();
    let (migrated, ()) = tokio::join!(migrate(&url), buying);
    migrated.unwrap();
    open(&database.url()).await.unwrap();
}

/// The last migration before the first that changes the orders table.
const BEFORE_CHANGES_OF_ORDERS: i64 = 5;
/// The last migration with the former names of tables, columns and values.
const FORMER_NAMES: i64 = 11;

const STREAM: u128 = 0x01;
const OFFER: u128 = 0x02;

/// Data of every kind that migration 12 renames, in its former names. `%` represents an id of one byte.
const FORMER_DATA: &str = "
    insert into shops (id, title, titles, currency, created_at) values (%10, 'Shop', '{}', 'SAR', 1);
    insert into products (id, shop, title, titles, created_at) values (%11, %10, 'Lamp', '{}', 1);
    insert into variants (id, product, name, names, price, stock, position) values (%12, %11, 'One', '{}', 5, 7, 0);
    insert into streams (id, shop, title, titles, host, status, created_at, links, hold_all, words_v)
        values (%01, %10, 'Show', '{}', 'Noura', 'live', 1, 'hold', 1, 3);
    insert into streams (id, shop, title, titles, host, status, created_at, links)
        values (%05, %10, 'Show', '{}', 'Noura', 'live', 1, 'allow');
    insert into offers (id, stream, variant, kind, stage, price, currency, quantity, per_buyer, countdown_ms, hold_ms)
        values (%02, %01, %12, 'regular', 'open', 5, 'SAR', 3, 1, 0, 300000);
    insert into messages (id, stream, at, user_id, user_name, user_role, body, status) values
        (%21, %01, 1, 'ann', 'Ann', 'viewer', 'hello', 'said'),
        (%22, %01, 2, 'bob', 'Bob', 'viewer', 'see a.com', 'held'),
        (%23, %01, 3, 'cem', 'Cem', 'viewer', 'rude', 'hidden');
    insert into muted_words (stream, position, word, whole, act) values (%01, 0, 'scam', 1, 'hold'), (%01, 1, 'x', 0, 'refuse');
    insert into actions (id, stream, at, by_user, by_name, by_role, kind, user_id) values
        (%31, %01, 1, 'mo', 'Mo', 'moderator', 'hide', 'cem'), (%32, %01, 2, 'mo', 'Mo', 'moderator', 'words', null);
    insert into waiting (offer, user_id, stream, created_at) values (%02, 'ann', %01, 1);
    insert into minutes (stream, minute, viewers) values (%01, 60000, 9);
    insert into answers (buyer, verb, key, hash, order_id, code, created_at)
        values ('ann', 'cancel', 'key-00001', %40, %41, 'declined', 1);
    insert into invites (id, stream, role, code, by_user, created_at, expires_at)
        values (%51, %01, 'moderator', %40, 'Noura', 1, 2);
    insert into test_intents (id, order_id, attempt, script, status, amount, currency, created_at, changed_at)
        values ('test_1', %41, 1, 'slow', 'authorized', 5, 'SAR', 1, 1);";

/// The data with the ids of one database: `id` writes an id of which only the last byte is not zero, `%40` is a hash.
fn former_data(id: impl Fn(u128) -> String, hash: &str) -> String {
    let mut parts = FORMER_DATA.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |sql, part| {
        let (byte, rest) = part.split_at(2);
        let value = if byte == "40" { hash.to_owned() } else { id(u128::from_str_radix(byte, 16).unwrap()) };
        format!("{sql}{value}{rest}")
    })
}

/// The migrations of a database with the former names.
async fn former_migrations(folder: &str) -> Migrator {
    migrations_until(folder, FORMER_NAMES).await
}

pub async fn migrations_until(folder: &str, last: i64) -> Migrator {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let all = Migrator::new(path).await.unwrap();
    // Files without a transaction only build indexes, statement by statement: they are left to the server.
    let chosen = all.iter().filter(|migration| migration.version <= last && !migration.no_tx);
    Migrator::with_migrations(chosen.cloned().collect())
}

/// Everything that was stored in the former names is read in the new ones.
async fn assert_data_survived(store: &Store) {
    let (show, offer) = (StreamId(Uuid::from_u128(STREAM)), OfferId(Uuid::from_u128(OFFER)));
    let ann = UserId::parse("ann").unwrap();
    let chat = store.stream(show).await.unwrap().unwrap();
    assert_eq!((chat.chat.links, chat.chat.review_all, chat.blocklist_version), (LinkRule::Review, true, 3));
    let other = store.stream(StreamId(Uuid::from_u128(0x05))).await.unwrap().unwrap();
    assert_eq!((other.chat.links, other.chat.review_all), (LinkRule::Allow, false));
    let messages = store.messages_after(show, None, 9).await.unwrap();
    let statuses: Vec<_> = messages.iter().map(|(message, status)| (&*message.text, *status)).collect();
    assert_eq!(statuses, [("hello", "published"), ("see a.com", "pending_review"), ("rude", "rejected")]);
    assert_eq!(store.review_queue(show, None).await.unwrap().len(), 1);
    let blocklist = store.blocklist(show).await.unwrap();
    let words: Vec<_> = blocklist.words().iter().map(|word| (&*word.word, word.whole_word, word.action)).collect();
    assert_eq!(words, [("scam", true, BlockAction::Review), ("x", false, BlockAction::Refuse)]);
    let log = store.audit_entries_after(show, None, 9).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.kind).collect::<Vec<_>>(), [AuditAction::Reject, AuditAction::Blocklist]);
    assert_eq!(store.stock_alerts_of(&ann, show).await.unwrap(), [offer]);
    assert_eq!(store.viewers_by_minute(show).await.unwrap(), [(60_000, 9)]);
    let record = store.find_idempotency_record(&ann, "cancel", &key("key-00001")).await.unwrap().unwrap();
    assert_eq!((record.0, record.2.as_deref()), ([7; 32], Some("declined")));
    let invites = store.invites(show).await.unwrap();
    assert_eq!(
        invites.iter().map(|invite| invite.uses_max).collect::<Vec<_>>(),
        [20],
        "an invite keeps its former uses"
    );
    assert_eq!(store.test_intent("test_1").await.unwrap().unwrap().scenario.name(), "slow");
    assert_eq!(store.shop().await.unwrap().unwrap().currency, "SAR");
}

#[tokio::test]
async fn data_in_former_names_survives_on_postgres() {
    let database = Database::create().await;
    let mut connection = database.connect().await;
    former_migrations("postgres").await.run(&mut connection).await.unwrap();
    let data = former_data(|id| format!("'{}'", Uuid::from_u128(id)), "decode(repeat('07', 32), 'hex')");
    sqlx::raw_sql(AssertSqlSafe(data)).execute(&mut connection).await.unwrap();
    migrate(&database.url()).await.unwrap();
    assert_data_survived(&open(&database.url()).await.unwrap()).await;
}

#[tokio::test]
async fn data_in_former_names_survives_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    former_migrations("sqlite").await.run(&mut connection).await.unwrap();
    let hash = format!("x'{}'", "07".repeat(32));
    let data = former_data(|id| format!("x'{}'", Uuid::from_u128(id).simple()), &hash);
    sqlx::raw_sql(AssertSqlSafe(data)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert_data_survived(&open(&format!("sqlite:{}", path.display())).await.unwrap()).await;
}
