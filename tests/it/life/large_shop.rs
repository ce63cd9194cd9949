//! A shop with more offers on sale, and a show with more bans, than one read of the store gives.

use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::support::SOON;
use crate::support::postgres::Database;
use crate::support::shop::{Shop, now_ms};

/// Twelve shows with a thousand offers each, all on sale and older than what the test creates.
const OFFERS_OF_OTHER_SHOWS: &str = "
    create function large_id(kind bigint, number bigint) returns uuid language sql immutable as
        $$ select (lpad(to_hex(kind), 12, '0') || '70008000' || lpad(to_hex(number), 12, '0'))::uuid $$;
    insert into streams (id, shop, title, titles, host, status, started_at, created_at)
        select large_id(1600000000000, n), s.id, 'Show', '{}', 'Noura', 'live', 1, 1 from shops s, generate_series(1, 12) n;
    insert into offers (id, stream, variant, kind, stage, price, currency, quantity, per_buyer, countdown_ms, hold_ms, opens_at)
        select large_id(1600000100000, n), large_id(1600000000000, 1 + n % 12), o.variant, 'regular', 'open', 100, 'SAR', 5, 5, 0,
            300000, 1 from (select variant from offers limit 1) o, generate_series(1, 12000) n;";

#[tokio::test]
async fn start_of_the_newest_of_12000_sales_is_announced() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    shop.on_sale(3, json!({})).await;
    let mut connection = database.connect().await;
    sqlx::raw_sql(OFFERS_OF_OTHER_SHOWS).execute(&mut connection).await.unwrap();
    let mut ann = shop.live("Ann", "viewer").await;
    let offer = shop.on_sale(3, json!({"kind": "flash", "countdown_s": 10, "duration_s": 60})).await;
    let sooner = format!("update offers set opens_at = {} where id = '{offer}'", now_ms() + 2_000);
    sqlx::raw_sql(AssertSqlSafe(sooner)).execute(&mut connection).await.unwrap();
    let event = ann.event("opening", SOON, |event| event["type"] == "sale_opened").await;
    assert_eq!(event["offer"], offer.as_str());
    ann.until_state("on sale", SOON, |state| state["offers"][&offer]["status"] == "open").await;
    // And what other nodes sell is seen without a message of theirs.
    let sold = format!("update offers set reserved = quantity, version = version + 1 where id = '{offer}'");
    sqlx::raw_sql(AssertSqlSafe(sold)).execute(&mut connection).await.unwrap();
    ann.until_state("sold out", SOON, |state| state["offers"][&offer]["left"] == 0).await;
}

/// The first viewer comes when the sale has started, and the node has never looked at its show.
#[tokio::test]
async fn sale_that_started_before_the_first_viewer_is_not_announced_again() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let (before, after) = (shop.on_sale(3, json!({})).await, shop.draft(3, json!({})).await);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let mut ann = shop.live("Ann", "viewer").await;
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    shop.host.post(&format!("/v1/offers/{after}/open"), json!({})).await.expect(200);
    let event = ann.event("opening", SOON, |event| event["type"] == "sale_opened").await;
    assert_eq!(event["offer"], after.as_str(), "{before} was open before");
}

#[tokio::test]
async fn oldest_of_6000_bans_is_in_force() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let ban = format!(
        "insert into sanctions (stream, user_id, kind, user_name, by_user, created_at, person)
            select '{}', 'banned-' || n, 'ban', '', 'Mo', n, 'banned-' || n from generate_series(1, 6000) n;
        update streams set version = version + 1",
        shop.stream
    );
    sqlx::raw_sql(AssertSqlSafe(ban)).execute(&mut database.connect().await).await.unwrap();
    // A node that has no viewers of the show asks the store once a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let sanctions = shop.host.get(&shop.path("mutes")).await.expect(200);
    assert_eq!(sanctions["items"].as_array().unwrap().len(), 6_000);
    for banned in ["banned-1", "banned-6000"] {
        let refused = shop.rest(banned, "viewer").post(&shop.path("messages"), json!({"text": "x"})).await;
        refused.expect_problem(403, "banned");
    }
}
