//! The line-up: its order on every node, and scheduled sales.

use serde_json::json;

use crate::support::SOON;
use crate::support::postgres::Database;
use crate::support::process::Server;
use crate::support::shop::{KEY, Shop, now_ms};
use crate::support::socket::Live;

#[tokio::test]
async fn new_line_up_order_reaches_the_viewers_of_every_node() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let other = Server::serve(&database.url(), KEY, &[]).await;
    let (a, b, draft) =
        (shop.on_sale(1, json!({})).await, shop.on_sale(1, json!({})).await, shop.draft(1, json!({})).await);
    let mut far = Live::connect(&other.url, &shop.stream, None).await;
    let mut near = shop.watch().await;
    let path = shop.path("lineup");
    let answer = shop.host.put(&path, json!({"offers": [b, draft, a]})).await.expect(200);
    let order: Vec<_> = answer["items"].as_array().unwrap().iter().map(|offer| offer["id"].clone()).collect();
    assert_eq!(order, [json!(b), json!(draft), json!(a)]);
    for live in [&mut far, &mut near] {
        live.until_state("the new order", SOON, |state| {
            state["offers"][&b]["position"] == 1 && state["offers"][&a]["position"] == 3
        })
        .await;
        assert!(live.state["offers"][&draft].is_null(), "a draft is not in the room");
    }
    let listed = shop.host.get(&shop.path("offers")).await.expect(200);
    assert_eq!(listed["items"][0]["id"], b.as_str());
    for wrong in [json!([]), json!([a, b]), json!([a, b, b]), json!([a, b, draft, draft])] {
        let problem = shop.host.put(&path, json!({"offers": wrong})).await;
        assert_eq!(problem.expect_problem(422, "invalid_value")["field"], "offers");
    }
    shop.host.put(&path, json!({"offers": "x"})).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn scheduled_sale_opens_once_on_several_nodes_and_after_a_restart() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let mut others =
        vec![Server::serve(&database.url(), KEY, &[]).await, Server::serve(&database.url(), KEY, &[]).await];
    let terms = |at: i64| json!({"kind": "flash", "countdown_s": 10, "duration_s": 60, "starts_at": at});
    let at = now_ms() + 12_000;
    let offer = shop.draft(3, terms(at)).await;
    assert_eq!(
        (&shop.offer(&offer).await["status"], &shop.offer(&offer).await["starts_at"]),
        (&json!("draft"), &json!(at))
    );
    let version = shop.offer(&offer).await["v"][1].as_i64().unwrap();
    let mut ann = shop.live("Ann", "viewer").await;
    let mut far = Live::connect(&others[0].url, &shop.stream, None).await;
    for live in [&mut ann, &mut far] {
        live.until_state("countdown", SOON, |state| state["offers"][&offer]["status"] == "countdown").await;
        let shown = &live.state["offers"][&offer];
        assert_eq!((&shown["opens_at"], &shown["v"][1]), (&json!(at), &json!(version + 1)));
    }
    // No node runs when the next scheduled sale is due.
    let late = shop.draft(3, terms(now_ms() + 3_600_000)).await;
    let url = database.url();
    drop(far);
    drop(ann);
    let (stream, host) = (shop.stream.clone(), shop.token("the-host", "host"));
    for node in &mut others {
        node.stop().await;
    }
    drop(shop);
    let due = sqlx::query("update offers set starts_at = $1 where stage = 'draft'").bind(now_ms() - 30_000);
    due.execute(&mut database.connect().await).await.unwrap();
    let node = Server::serve(&url, KEY, &[]).await;
    let mut bob = Live::connect(&node.url, &stream, None).await;
    bob.until_state("countdown of the overdue sale", SOON, |state| state["offers"][&late]["status"] == "countdown")
        .await;
    let wait = bob.state["offers"][&late]["opens_at"].as_i64().unwrap() - now_ms();
    assert!((0..=10_000).contains(&wait), "the overdue sale starts with its whole countdown: {wait} ms");
    let open =
        node.rest().with_token(&host).put(&format!("/v1/offers/{late}/schedule"), json!({"starts_at": null})).await;
    open.expect_problem(409, "wrong_status");
}

#[tokio::test]
async fn invalid_start_time_is_refused_with_its_field() {
    let shop = Shop::demo(&[]).await;
    let variant = shop.variant(5).await;
    for at in [0, now_ms() - 1, now_ms() + 91 * 24 * 3_600_000] {
        let form = json!({"variant": variant, "kind": "flash", "price": 500, "quantity": 2, "starts_at": at});
        let problem = shop.host.post(&shop.path("offers"), form).await;
        assert_eq!(problem.expect_problem(422, "invalid_value")["field"], "starts_at");
    }
    let form = json!({"variant": variant, "kind": "flash", "price": 500, "quantity": 2, "countdown_s": 9});
    let problem = shop.host.post(&shop.path("offers"), form).await.expect_problem(400, "bad_request");
    assert_eq!(problem["field"], "countdown_s");
    let draft = shop.draft(2, json!({})).await;
    let path = format!("/v1/offers/{draft}/schedule");
    shop.host.put(&path, json!({"starts_at": 1})).await.expect_problem(422, "invalid_value");
    let at = now_ms() + 3_600_000;
    let scheduled = shop.host.put(&path, json!({"starts_at": at})).await.expect(200);
    assert_eq!(scheduled["starts_at"], at);
    let cleared = shop.host.put(&path, json!({"starts_at": null})).await.expect(200);
    assert!(cleared["starts_at"].is_null());
}
