//! Payments by day from outside, on both databases: what was paid and given back, as JSON and as CSV.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::shop::{Shop, id, key};

async fn shops() -> Vec<(Shop, Option<Database>)> {
    let database = Database::migrated().await;
    let on_postgres = Shop::serve_with(&database.url(), &database.url(), &["--payments", "test"]).await;
    vec![(Shop::demo(&[]).await, None), (on_postgres, Some(database))]
}

async fn paid(shop: &Shop, offer: &str, buyer: &str, qty: i64) -> String {
    let buyer = shop.rest(buyer, "viewer");
    let order = buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": qty})).await.expect(201);
    buyer.post_keyed(&format!("/v1/orders/{}/pay", id(&order)), &key(), json!({"token": "ok"})).await.expect(200);
    id(&order)
}

#[tokio::test]
async fn day_shows_what_was_paid_and_given_back() {
    for (shop, _database) in shops().await {
        let admin = shop.rest("Root", "admin");
        let zone = json!({"time_zone": "Asia/Riyadh"});
        admin.send(Method::PATCH, "/v1/shop/settings", &[], Some(zone)).await.expect(200);
        let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
        let price = shop.offer(&offer).await["price"].as_i64().unwrap();
        let order = paid(&shop, &offer, "Ann", 2).await;
        paid(&shop, &offer, "Ben", 1).await;
        shop.host.post_keyed(&format!("/v1/orders/{order}/refund"), &key(), json!({"restock": true})).await.expect(200);

        let days = shop.host.get("/v1/shop/payment-days").await.expect(200);
        let all = days["days"].as_array().unwrap();
        assert_eq!((&days["time_zone"], all.len()), (&json!("Asia/Riyadh"), 30));
        assert_eq!(days["today"], days["last_day"], "of the shop, by the clock of the server");
        let (since, until) = (all[0]["since"].as_i64().unwrap(), all[0]["until"].as_i64().unwrap());
        assert!((since..until).contains(&days["now"].as_i64().unwrap()), "{}", days["now"]);
        assert_eq!((&all[0]["date"], &all[29]["date"]), (&days["last_day"], &days["first_day"]));
        // A purchase around midnight falls on one of two days.
        let busy: Vec<&Value> = all.iter().filter(|day| day["sums"] != json!([])).collect();
        assert!((1..=2).contains(&busy.len()) && (busy[0] == &all[0] || busy[0] == &all[1]), "{busy:?}");
        let totals = &days["totals"][0];
        assert_eq!(totals["captured"], json!({"count": 2, "amount": 3 * price}));
        assert_eq!(totals["refunded"], json!({"count": 1, "amount": 2 * price}));
        assert_eq!(
            (&totals["left"], &totals["fees_unknown"]),
            (&json!(price), &json!(2)),
            "the test provider keeps nothing that it tells"
        );
        assert_eq!((&days["disputes"], &days["owed_refunds"]), (&json!([]), &json!([])));

        let csv = shop.host.get("/v1/shop/payment-days.csv?first_day=2026-03-01&last_day=2026-03-02").await.expect(200);
        let csv = csv.as_str().unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3, "{csv}");
        assert!(lines[1].starts_with(&format!("\"2026-03-01\",{},0,0", days["currency"])), "{csv}");
        for wrong in
            ["first_day=2026-01-01&last_day=2026-12-31", "first_day=soon", "first_day=2026-03-02&last_day=2026-03-01"]
        {
            shop.host.get(&format!("/v1/shop/payment-days?{wrong}")).await.expect_problem(422, "invalid_value");
        }
    }
}

#[tokio::test]
async fn dispute_that_was_given_up_is_closed_by_the_team() {
    for (shop, _database) in shops().await {
        let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
        let (order, other) = (paid(&shop, &offer, "Ann", 2).await, paid(&shop, &offer, "Ben", 1).await);
        shop.change(
            "insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency, opened_at,
                unread_since, given_up_at)
                select provider, 'du_1', order_id, attempt, 'open', 1, amount, currency, captured_at, captured_at, captured_at
                from payments where buyer = 'Ann'",
        )
        .await;
        let listed = shop.host.get("/v1/shop/payment-days").await.expect(200)["disputes"][0].clone();
        assert_eq!(
            (&listed["reference"], &listed["given_up"], &listed["result"]),
            (&json!("du_1"), &json!(true), &Value::Null)
        );
        let path = format!("/v1/orders/{order}/dispute");
        for wrong in [
            json!({"reference": "du_1", "result": "drawn", "note": "Dashboard"}),
            json!({"reference": "du_1", "result": "lost"}),
            json!({"reference": "du_1", "result": "lost", "note": " "}),
            json!({"reference": "du\u{0}1", "result": "lost", "note": "Dashboard"}),
        ] {
            shop.host.put(&path, wrong).await.expect_problem(400, "bad_request");
        }
        let end = json!({"reference": "du_1", "result": "lost", "note": "Dashboard, 3 December"});
        shop.host.put(&format!("/v1/orders/{other}/dispute"), end.clone()).await.expect_problem(409, "wrong_status");
        for _ in 0..2 {
            let closed = shop.host.put(&path, end.clone()).await.expect(200);
            assert_eq!((&closed["order"], &closed["result"]), (&json!(order), &json!("lost")));
        }
        let log = shop.rest("Root", "admin").get("/v1/shop/audit-log").await.expect(200);
        let entries = log["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "close_dispute");
        let said: Vec<_> =
            entries.map(|entry| ["subject", "detail", "reason"].map(|name| entry[name].clone())).collect();
        assert_eq!(said, [[json!(order), json!("lost"), json!("Dashboard, 3 December")]]);
        let after = shop.host.get("/v1/shop/payment-days").await.expect(200);
        assert_eq!(after["totals"][0]["disputes_lost"], json!({"count": 1, "amount": listed["amount"]}));
        assert_eq!(after["disputes"][0]["result"], "lost");
        let csv = shop.host.get("/v1/shop/payment-days.csv").await.expect(200);
        let total = csv.as_str().unwrap().lines().last().unwrap().to_owned();
        assert!(total.contains(&format!(",1,{},", listed["amount"])), "{total}");
    }
}
