//! Sales: countdown, opening and closing, the limit per buyer, and the end of the show.

use serde_json::json;

use super::{buy, hold, order_frame, pay};
use crate::support::SOON;
use crate::support::postgres::Database;
use crate::support::process::Server;
use crate::support::shop::{KEY, Shop, id, key, now_ms};
use crate::support::socket::Live;

/// The shortest sale lasts a minute. That is too long for a test, so this moves its end in the database.
const SHORTEN: &str = "update offers set closes_at = opens_at + 3000 where kind = 'flash'";

#[tokio::test]
async fn flash_sale_counts_down_opens_and_closes_on_time() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let flash = json!({"kind": "flash", "countdown_s": 10, "duration_s": 60, "per_buyer": 1});
    let offer = shop.draft(3, flash).await;
    let mut ann = shop.live("Ann", "viewer").await;
    assert!(ann.state["offers"][&offer].is_null(), "a draft is not in the room");
    let before = now_ms();
    let opened = shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    let (opens_at, closes_at) = (opened["opens_at"].as_i64().unwrap(), opened["closes_at"].as_i64().unwrap());
    assert_eq!((&opened["status"], closes_at - opens_at), (&json!("countdown"), 60_000));
    assert!((before + 10_000..=now_ms() + 10_000).contains(&opens_at), "{opened:#}");
    ann.until_state("countdown", SOON, |state| state["offers"][&offer]["status"] == "countdown").await;

    let refusal = ann.ask(buy(&offer, 1)).await.unwrap_err();
    assert_eq!(refusal["code"], "not_open");
    let wait = refusal["retry_ms"].as_i64().unwrap();
    assert!((now_ms() + wait - opens_at).abs() < 1_000, "{refusal}, opens at {opens_at}");
    let path = format!("/v1/offers/{offer}/orders");
    let answer = shop.rest("Ann", "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await;
    let problem = answer.expect_problem(409, "not_open");
    assert_eq!(problem["opens_at"], opens_at);
    assert!((problem["now"].as_i64().unwrap() - now_ms()).abs() < 1_000);
    sqlx::raw_sql(SHORTEN).execute(&mut database.connect().await).await.unwrap();

    let event = ann.event("opening", SOON, |event| event["type"] == "sale_opened").await;
    let received_at = now_ms();
    assert_eq!(event["offer"], offer.as_str());
    assert!((opens_at..=opens_at + 1_000).contains(&received_at), "{} ms after the opening", received_at - opens_at);
    hold(&mut ann, &offer, 1).await;
    ann.until_state("on sale", SOON, |state| state["offers"][&offer]["status"] == "open").await;

    let event = ann.event("closing", SOON, |event| event["type"] == "sale_closed").await;
    let received_at = now_ms();
    assert_eq!(event["offer"], offer.as_str());
    let late = received_at - (opens_at + 3_000);
    assert!((0..=2_000).contains(&late), "{late} ms after the end");
    ann.until_state("closed", SOON, |state| state["offers"][&offer]["status"] == "closed").await;
    assert_eq!(ann.refused(buy(&offer, 1)).await, "closed");
    assert!(shop.watch().await.state["offers"][&offer].is_null(), "a closed offer leaves the snapshot");
    assert_eq!(shop.pool(&offer).await, 2, "the unsold units are back in stock");
    shop.assert_audited().await;
}

#[tokio::test]
async fn sale_paused_during_its_countdown_announces_its_late_opening() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let offer = shop.on_sale(3, json!({"kind": "flash", "countdown_s": 10, "duration_s": 60})).await;
    let mut ann = shop.live("Ann", "viewer").await;
    shop.host.post(&format!("/v1/offers/{offer}/pause"), json!({})).await.expect(200);
    ann.until_state("pause", SOON, |state| state["offers"][&offer]["status"] == "paused").await;
    // Wait until the background job has seen the pause. Then the countdown ends during the pause.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let sooner = "update offers set opens_at = opens_at - 10000 where kind = 'flash'";
    sqlx::raw_sql(sooner).execute(&mut database.connect().await).await.unwrap();
    shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    let event = ann.event("opening", SOON, |event| event["type"] == "sale_opened").await;
    assert_eq!(event["offer"], offer.as_str());
}

#[tokio::test]
async fn closed_and_paused_sales_are_refused_with_different_codes() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(4, json!({})).await;
    let (mut ann, rest) = (shop.live("Ann", "viewer").await, shop.rest("Ann", "viewer"));
    let (path, verb) = (format!("/v1/offers/{offer}/orders"), |verb: &str| format!("/v1/offers/{offer}/{verb}"));
    let held = hold(&mut ann, &offer, 1).await;
    shop.host.post(&verb("pause"), json!({})).await.expect(200);
    ann.until_state("paused", SOON, |state| state["offers"][&offer]["status"] == "paused").await;
    rest.post_keyed(&path, &key(), json!({"qty": 1})).await.expect_problem(409, "not_open");
    // A held order can be paid while the sale is paused.
    assert_eq!(ann.ask(pay(&id(&held), "ok", &key())).await.unwrap()["order"]["status"], "paid");
    shop.host.post(&verb("open"), json!({})).await.expect(200);
    let held = hold(&mut ann, &offer, 1).await;
    shop.host.post(&verb("close"), json!({})).await.expect(200);
    ann.event("closing", SOON, |event| event["type"] == "sale_closed").await;
    rest.post_keyed(&path, &key(), json!({"qty": 1})).await.expect_problem(409, "closed");
    assert_eq!(ann.refused(buy(&offer, 1)).await, "closed");
    shop.host.post(&verb("open"), json!({})).await.expect_problem(409, "closed");
    assert_eq!(shop.pool(&offer).await, 2);
    // A unit that is released after the end of the sale returns to the stock too.
    ann.ask(json!({"do": "cancel", "order": id(&held), "key": key()})).await.unwrap();
    assert_eq!(shop.pool(&offer).await, 3);
    shop.assert_audited().await;
}

#[tokio::test]
async fn buyer_at_the_limit_receives_the_orders_that_count() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(10, json!({"per_buyer": 3})).await;
    let mut ann = shop.live("Ann", "viewer").await;
    let path = format!("/v1/offers/{offer}/orders");
    let orders = [hold(&mut ann, &offer, 2).await, hold(&mut ann, &offer, 1).await].map(|order| id(&order));
    let answer = shop.rest("Ann", "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await;
    let problem = answer.expect_problem(409, "buyer_limit");
    let mut shown: Vec<&str> = problem["orders"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    shown.sort_unstable();
    assert_eq!(shown, orders);
    assert_eq!(ann.refused(buy(&offer, 1)).await, "buyer_limit");
    assert_eq!(ann.refused(buy(&offer, 4)).await, "buyer_limit");
    hold(&mut shop.live("Bob", "viewer").await, &offer, 3).await;
    // A cancelled order no longer counts. Of ten concurrent purchases only as many succeed as the limit allows.
    ann.ask(json!({"do": "cancel", "order": orders[0], "key": key()})).await.unwrap();
    let presses = (0..10).map(|_| {
        let (rest, path) = (shop.rest("Ann", "viewer"), path.clone());
        tokio::spawn(async move { rest.post_keyed(&path, &key(), json!({"qty": 1})).await.status })
    });
    let presses: Vec<_> = presses.collect();
    let mut held = 0;
    for press in presses {
        held += usize::from(press.await.unwrap() == 201);
    }
    assert_eq!(held, 2);
    shop.assert_left(&offer, 4).await;
}

#[tokio::test]
async fn end_of_the_show_closes_its_sales_and_returns_the_units() {
    let shop = Shop::demo(&[]).await;
    let (offer, draft) = (shop.on_sale(5, json!({})).await, shop.draft(7, json!({})).await);
    let (mut ann, mut watcher) = (shop.live("Ann", "viewer").await, shop.watch().await);
    let (paid, kept) = (hold(&mut ann, &offer, 1).await, hold(&mut ann, &offer, 2).await);
    ann.ask(pay(&id(&paid), "ok", &key())).await.unwrap();
    let pin = json!({"offer": offer});
    shop.host.put(&shop.path("pin"), pin).await.expect(200);
    let ended = shop.host.post(&shop.path("end"), json!({})).await.expect(200);
    assert_eq!(ended["status"], "ended");
    watcher.event("end", SOON, |event| event["type"] == "ended").await;
    for verb in
        [buy(&offer, 1), json!({"do": "say", "text": "hello?"}), json!({"do": "react", "kind": "heart", "count": 1})]
    {
        let code = ann.refused(verb.clone()).await;
        assert!(code == "closed" || code == "stream_ended", "{verb}: {code}");
    }
    assert_eq!((shop.pool(&offer).await, shop.pool(&draft).await), (2, 7));
    for path in [format!("/v1/offers/{offer}/open"), format!("/v1/offers/{draft}/open")] {
        let answer = shop.host.post(&path, json!({})).await;
        assert_eq!(answer.status, 409, "{answer:?}");
    }
    // A held order can still be paid.
    let order = ann.ask(pay(&id(&kept), "ok", &key())).await.unwrap();
    assert_eq!(order["order"]["status"], "paid");
    order_frame(&mut ann, &kept, "paid").await;
    let report = shop.host.get(&shop.path("report")).await.expect(200);
    assert_eq!((&report["units_paid"], &report["orders_held"]), (&json!(3), &json!(0)));
    shop.assert_audited().await;
}

#[tokio::test]
async fn restocked_offer_sells_more_and_a_sale_without_end_cannot_be_extended() {
    let shop = Shop::demo(&[]).await;
    let variant = shop.variant(5).await;
    let form = json!({"variant": variant, "kind": "regular", "price": 500, "quantity": 2});
    let offer = id(&shop.host.post(&shop.path("offers"), form).await.expect(201));
    let verb = |verb: &str| format!("/v1/offers/{offer}/{verb}");
    shop.host.post(&verb("open"), json!({})).await.expect(200);
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    let held = hold(&mut ann, &offer, 2).await;
    ann.ask(pay(&id(&held), "ok", &key())).await.unwrap();
    bob.until_state("sold out", SOON, |state| state["offers"][&offer]["status"] == "sold_out").await;
    assert_eq!(bob.refused(buy(&offer, 1)).await, "sold_out");
    for (add, status, code) in [(0, 400, "bad_request"), (-1, 400, "bad_request"), (4, 409, "not_enough_stock")] {
        shop.host.post(&verb("restock"), json!({"add": add})).await.expect_problem(status, code);
    }
    shop.host.post(&verb("restock"), json!({"add": 3})).await.expect(200);
    bob.until_state("three more", SOON, |state| state["offers"][&offer]["left"] == 3).await;
    assert_eq!(hold(&mut bob, &offer, 1).await["place"], 2);
    assert_eq!(shop.pool(&offer).await, 0);
    let extended = shop.host.post(&verb("extend"), json!({"seconds": 60})).await;
    assert_eq!(extended.status, 409, "a sale without an end cannot be extended: {extended:?}");
    shop.assert_left(&offer, 2).await;
}

/// Nodes poll the open offers. A closed offer is missing from the result, and a node must notice that.
#[tokio::test]
async fn end_of_a_sale_reaches_viewers_of_a_node_without_a_broker() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let other = Server::serve(&database.url(), KEY, &[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut far = Live::connect(&other.url, &shop.stream, None).await;
    far.until_state("open", SOON, |state| state["offers"][&offer]["status"] == "open").await;
    // Immediately, before the other node has polled the open offer.
    shop.host.post(&format!("/v1/offers/{offer}/close"), json!({})).await.expect(200);
    far.until_state("closed", SOON, |state| state["offers"][&offer]["status"] == "closed").await;
}
