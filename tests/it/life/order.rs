//! Orders: held, paid, declined, cancelled and expired.

use std::time::Duration;

use serde_json::{Value, json};

use super::{buy, hold, order_frame, pay};
use crate::support::SOON;
use crate::support::shop::{Shop, id, key, now_ms};

#[tokio::test]
async fn held_order_is_paid_and_every_viewer_is_notified_once() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({"hold_s": 60})).await;
    let (mut phone, mut laptop) = (shop.live("Ann", "viewer").await, shop.live("Ann", "viewer").await);
    let mut watcher = shop.watch().await;
    let before = now_ms();
    let held = hold(&mut phone, &offer, 2).await;
    let hold_until = held["hold_until"].as_i64().unwrap();
    assert!((before + 60_000..=now_ms() + 60_000).contains(&hold_until), "{held:#}");
    assert_eq!((&held["amount"], &held["place"], &held["qty"]), (&json!(2_000), &json!(1), &json!(2)));
    order_frame(&mut laptop, &held, "held").await;
    watcher.until_state("three left", SOON, |state| state["offers"][&offer]["left"] == 3).await;

    let key = key();
    let paid = phone.ask(pay(&id(&held), "ok", &key)).await.unwrap();
    assert_eq!((&paid["order"]["status"], &paid["replayed"]), (&json!("paid"), &json!(false)));
    assert!(paid["order"]["paid_at"].as_i64().unwrap() >= before);
    order_frame(&mut laptop, &held, "paid").await;
    let again = phone.ask(pay(&id(&held), "ok", &key)).await.unwrap();
    assert_eq!((&again["order"]["status"], &again["replayed"]), (&json!("paid"), &json!(true)));
    assert_eq!(phone.refused(pay(&id(&held), "ok", &super::key())).await, "already_paid");
    assert_eq!(phone.refused(json!({"do": "cancel", "order": id(&held), "key": super::key()})).await, "already_paid");

    // The event of a second purchase ends the search for a duplicate event of the first one.
    let second = hold(&mut laptop, &offer, 1).await;
    laptop.ask(pay(&id(&second), "ok", &super::key())).await.unwrap();
    let mut quantities = Vec::new();
    while quantities.last() != Some(&json!(1)) {
        let frame = watcher.until("purchase event", SOON, |frame| frame["events"].is_array()).await;
        for event in frame["events"].as_array().unwrap().iter().filter(|event| event["type"] == "purchased") {
            assert_eq!((&event["name"], &event["offer"]), (&json!("Ann"), &json!(offer)));
            quantities.push(event["qty"].clone());
        }
    }
    assert_eq!(quantities, [json!(2), json!(1)]);
    let report = shop.host.get(&shop.path("report")).await.expect(200);
    assert_eq!(
        (&report["orders_paid"], &report["units_paid"], &report["amount_paid"]),
        (&json!(2), &json!(3), &json!(3_000))
    );
    let listed = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200);
    let listed: Vec<String> = listed["items"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(listed, [id(&second), id(&held)], "newest first");
    shop.assert_left(&offer, 2).await;
}

#[tokio::test]
async fn declined_payment_leaves_the_order_held_for_another_try() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(1, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let rest = shop.rest("Ann", "viewer");
    let held = hold(&mut live, &offer, 1).await;
    let path = format!("/v1/orders/{}", id(&held));
    let declined = key();
    for _ in 0..2 {
        let answer = rest.post_keyed(&format!("{path}/pay"), &declined, json!({"token": "declined"})).await;
        answer.expect_problem(402, "declined");
    }
    assert_eq!(rest.get(&path).await.expect(200)["status"], "held");
    shop.assert_left(&offer, 0).await;
    assert_eq!(shop.number("select count(*) from payments").await, 1, "the retry started no second payment");
    let paid = rest.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    assert_eq!(paid["status"], "paid");
    assert_eq!(live.refused(pay(&id(&held), "declined", &declined)).await, "declined");
    assert_eq!(shop.number("select count(*) from payments where status = 'captured'").await, 1);
}

#[tokio::test]
async fn failed_capture_cancels_the_order_and_returns_the_units() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(2, json!({})).await;
    let (mut live, mut watcher) = (shop.live("Ann", "viewer").await, shop.watch().await);
    let held = hold(&mut live, &offer, 2).await;
    watcher.until_state("none left", SOON, |state| state["offers"][&offer]["left"] == 0).await;
    let key = key();
    let path = format!("/v1/orders/{}/pay", id(&held));
    for _ in 0..2 {
        let answer = shop.rest("Ann", "viewer").post_keyed(&path, &key, json!({"token": "capture_fails"})).await;
        answer.expect_problem(402, "capture_failed");
    }
    let ended = order_frame(&mut live, &held, "cancelled").await;
    assert_eq!(ended["reason"], "capture_failed");
    watcher.until_state("two left", SOON, |state| state["offers"][&offer]["left"] == 2).await;
    assert_eq!(watcher.state["offers"][&offer]["status"], "open");
    assert_eq!(shop.number("select count(*) from payments where status = 'captured'").await, 0);
    shop.assert_left(&offer, 2).await;
}

#[tokio::test]
async fn cancellation_is_idempotent() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(3, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let rest = shop.rest("Ann", "viewer");
    let held = hold(&mut live, &offer, 2).await;
    let (path, first, second) = (format!("/v1/orders/{}/cancel", id(&held)), key(), key());
    for (number, key) in [&first, &first, &second].into_iter().enumerate() {
        let answer = rest.post_keyed(&path, key, json!({})).await;
        assert_eq!(answer.header("idempotency-replayed").is_some(), number > 0, "{answer:?}");
        let order = answer.expect(200);
        assert_eq!((&order["status"], &order["reason"]), (&json!("cancelled"), &json!("buyer_cancel")));
        shop.assert_left(&offer, 3).await;
    }
    order_frame(&mut live, &held, "cancelled").await;
    assert_eq!(live.refused(pay(&id(&held), "ok", &key())).await, "wrong_status");
    // A place is never given to a second order.
    assert_eq!(hold(&mut live, &offer, 1).await["place"], 2);
}

#[tokio::test]
async fn hold_expires_at_its_time_and_not_before() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(1, json!({"hold_s": 10})).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    let held = hold(&mut ann, &offer, 1).await;
    let hold_until = held["hold_until"].as_i64().unwrap();
    bob.until_state("held", SOON, |state| state["offers"][&offer]["status"] == "sold_out_for_now").await;
    // Bob retries until a unit is released.
    let deadline = hold_until + 6_000;
    let won_at = loop {
        match bob.ask(buy(&offer, 1)).await {
            Ok(won) => {
                assert_eq!(won["order"]["place"], 2);
                break now_ms();
            }
            Err(error) => assert_eq!(error["code"], "sold_out_for_now"),
        }
        assert!(now_ms() < deadline, "the unit was not released within 6 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!((hold_until..=hold_until + 5_000).contains(&won_at), "{} ms after the hold expired", won_at - hold_until);
    let ended = order_frame(&mut ann, &held, "expired").await;
    assert_eq!(ended["reason"], "hold_ended");
    for verb in [pay(&id(&held), "ok", &key()), json!({"do": "cancel", "order": id(&held), "key": key()})] {
        assert_eq!(ann.refused(verb).await, "hold_expired");
    }
    let path = format!("/v1/orders/{}/pay", id(&held));
    let answer = shop.rest("Ann", "viewer").post_keyed(&path, &key(), json!({"token": "ok"})).await;
    answer.expect_problem(409, "hold_expired");
    assert_eq!(shop.number("select count(*) from payments").await, 0);
    shop.assert_left(&offer, 0).await;
}

#[tokio::test]
async fn two_devices_that_pay_at_the_same_time_are_charged_once() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(8, json!({})).await;
    let (mut one, mut two) = (shop.live("Ann", "viewer").await, shop.live("Ann", "viewer").await);
    for tokens in [["ok", "ok"], ["slow", "slow"], ["slow", "declined"], ["capture_fails", "ok"]] {
        let order = id(&hold(&mut one, &offer, 1).await);
        let (first, second) =
            tokio::join!(one.ask(pay(&order, tokens[0], &key())), two.ask(pay(&order, tokens[1], &key())));
        let results = [first, second];
        let refusals: Vec<&Value> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        for refusal in &refusals {
            let code = refusal["code"].as_str().unwrap();
            let known = ["already_paid", "busy", "declined", "capture_failed", "wrong_status"];
            assert!(known.contains(&code), "{tokens:?}: {refusal}");
        }
        let order = shop.rest("Ann", "viewer").get(&format!("/v1/orders/{order}")).await.expect(200);
        let paid = usize::from(order["status"] == "paid");
        assert_eq!(results.len() - refusals.len(), paid, "{tokens:?}: {results:#?}, but {order:#}");
        assert!(paid == 1 || tokens[0] == "capture_fails", "{tokens:?}: {results:#?}");
    }
    let paid = shop.number("select count(*) from orders where status = 'paid'").await;
    assert_eq!(shop.number("select count(*) from payments where status = 'captured'").await, paid);
    let twice = "select count(*) from (select 1 from payments where status = 'captured' group by order_id having count(*) > 1) t";
    assert_eq!(shop.number(twice).await, 0);
    shop.assert_audited().await;
}

#[tokio::test]
async fn two_purchases_are_paid_and_listed_as_one_order() {
    let shop = Shop::demo(&[]).await;
    let (lamp, vase) = (shop.on_sale(5, json!({})).await, shop.on_sale(5, json!({})).await);
    let (mut phone, mut laptop) = (shop.live("Ann", "viewer").await, shop.live("Ann", "viewer").await);
    let bought = phone.ask(buy(&lamp, 1)).await.unwrap();
    assert_eq!((&bought["reservation"]["id"], &bought["order"]["number"]), (&bought["order"]["id"], &Value::Null));
    let (a, b) = (id(&bought["reservation"]), id(&hold(&mut phone, &vase, 2).await));
    let ann = shop.rest("Ann", "viewer");
    let order = ann.post("/v1/orders", json!({"reservations": [a, b]})).await.expect(200);
    assert_eq!((&order["status"], &order["amount"], &order["qty"]), (&json!("held"), &json!(3_000), &json!(3)));
    assert_eq!(ann.post("/v1/orders", json!({"reservations": [b, a]})).await.expect(200)["id"], order["id"], "a retry");
    let line = ann.get(&format!("/v1/reservations/{b}")).await.expect(200);
    assert_eq!((&line["order"], &line["status"]), (&order["id"], &json!("held")));
    assert_eq!(id(&ann.get(&format!("/v1/orders/{b}")).await.expect(200)), id(&order));
    shop.rest("Bob", "viewer").post("/v1/orders", json!({"reservations": [a]})).await.expect_problem(404, "not_yours");
    ann.post("/v1/orders", json!({"reservations": []})).await.expect_problem(400, "bad_request");

    let third = id(&hold(&mut phone, &lamp, 1).await);
    let more = ann.post("/v1/orders", json!({"reservations": [third]})).await.expect(200);
    assert_eq!((&more["id"], &more["amount"]), (&order["id"], &json!(4_000)), "it joins the open order");
    let gone = ann.delete(&format!("/v1/reservations/{third}")).await.expect(200);
    assert_eq!((&gone["status"], &gone["reason"]), (&json!("cancelled"), &json!("buyer_cancel")));
    assert_eq!(ann.get(&format!("/v1/orders/{third}")).await.expect(200)["amount"], json!(3_000));

    // On the socket, a reservation is enough.
    let fourth = id(&hold(&mut phone, &lamp, 1).await);
    ann.post("/v1/orders", json!({"reservations": [fourth]})).await.expect(200);
    let cancel = json!({"do": "cancel", "reservation": fourth, "key": key()});
    for replayed in [false, true] {
        let left = phone.ask(cancel.clone()).await.unwrap();
        assert_eq!((&left["order"]["id"], &left["order"]["amount"]), (&order["id"], &json!(3_000)));
        assert_eq!(left["replayed"].as_bool().unwrap_or_default(), replayed);
    }
    let neither = json!({"do": "cancel", "key": key()});
    assert_eq!(phone.refused(neither).await, "bad_request");
    let elsewhere =
        json!({"do": "cancel", "order": "01890000-0000-7000-8000-000000000000", "reservation": a, "key": key()});
    assert_eq!(phone.refused(elsewhere).await, "not_yours");
    let theirs = json!({"do": "cancel", "reservation": a, "key": key()});
    assert_eq!(shop.live("Bob", "viewer").await.refused(theirs).await, "not_yours");

    let paid = phone.ask(pay(&b, "ok", &key())).await.unwrap();
    assert_eq!((&paid["order"]["status"], &paid["order"]["lines"][1]["status"]), (&json!("paid"), &json!("sold")));
    let number = paid["order"]["number"].as_i64().expect("a paid order has a number");
    let is_paid = |frame: &Value| frame["t"] == "order" && frame["order"]["status"] == "paid";
    let frame = laptop.until("the paid order", SOON, is_paid).await;
    assert_eq!(
        (&frame["order"]["id"], frame["order"]["lines"].as_array().map(Vec::len)),
        (&order["id"], Some(4)),
        "the lines that are gone stay"
    );

    let listed = ann.get("/v1/orders").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let found = shop.host.get(&format!("/v1/shop/orders?search=%23{number}")).await.expect(200);
    assert_eq!(found["items"][0]["id"], order["id"]);
    let text = shop.host.get("/v1/shop/export/orders.csv").await.expect(200);
    let rows: Vec<&str> = text.as_str().expect("a text").lines().filter(|row| row.contains(&id(&order))).collect();
    assert_eq!(rows.len(), 2, "one row for each line that was sold: {text}");
    let refunded =
        shop.host.post_keyed(&format!("/v1/orders/{a}/refund"), &key(), json!({"restock": true})).await.expect(200);
    assert_eq!((&refunded["status"], &refunded["amount"]), (&json!("refunded"), &json!(3_000)));
    shop.assert_left(&lamp, 5).await;
    shop.assert_left(&vase, 5).await;
    shop.assert_audited().await;
}

#[tokio::test]
async fn purchase_is_a_reservation_and_its_order_takes_an_address() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let (ann, bob) = (shop.rest("Ann", "viewer"), shop.rest("Bob", "viewer"));
    let path = format!("/v1/offers/{offer}/reservations");
    let bought = ann.post_keyed(&path, "key-of-ann", json!({"qty": 1})).await.expect(201);
    let again = ann.post_keyed(&format!("/v1/offers/{offer}/orders"), "key-of-ann", json!({"qty": 1})).await;
    assert_eq!(id(&again.expect(200)), id(&bought), "both paths are the same purchase");
    let found = ann.get("/v1/reservations/by-key/key-of-ann").await.expect(200);
    assert_eq!((&found["offer"], &found["status"]), (&json!(offer), &json!("held")));
    bob.get("/v1/reservations/by-key/key-of-ann").await.expect_problem(404, "no_such_order");

    let order = format!("/v1/orders/{}", id(&found));
    let home = json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA"});
    let changed = ann.put(&order, json!({"address": home})).await.expect(200);
    assert_eq!((&changed["status"], &changed["address"]["city"]), (&json!("held"), &json!("Riyadh")));
    bob.put(&order, json!({"address": home})).await.expect_problem(404, "not_yours");
    ann.put(&order, json!({})).await.expect(200);
    let nowhere = json!({"address": {"name": "Ann Example", "lines": [], "city": "Riyadh", "country": "SA"}});
    ann.put(&order, nowhere).await.expect_problem(400, "bad_request");
    assert_eq!(ann.get(&order).await.expect(200)["address"]["city"], "Riyadh");
}
