//! A shop without `--payments` takes no money: buying reserves, paying is refused, and nothing of the test provider exists.

use serde_json::json;

use super::{buy, hold, pay};
use crate::support::process::Server;
use crate::support::shop::{KEY, id, key, sign};
use crate::support::socket::{JoinOptions, Live};
use crate::support::{SOON, until_some};

struct PlainShop {
    server: Server,
    stream: String,
    store: String,
}

/// Starts `serve --store --listen --auth-key` with a live show.
async fn plain_shop(folder: &tempfile::TempDir, more: &[&str]) -> PlainShop {
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let server = Server::serve_without_payments(&store, KEY, more).await;
    let host = server.rest().with_token(&sign(KEY, "the-host", "host", 3_600));
    let listed = host.get("/v1/streams").await.expect(200);
    let stream = match listed["items"].get(0) {
        Some(known) => id(known),
        None => {
            let stream = id(&host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
            host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
            stream
        }
    };
    PlainShop { server, stream, store }
}

impl PlainShop {
    async fn on_sale(&self, price: i64) -> String {
        let host = self.server.rest().with_token(&sign(KEY, "the-host", "host", 3_600));
        let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 100, "stock": 5}]});
        let variant = id(&host.post("/v1/products", product).await.expect(201)["variants"][0]);
        let form =
            json!({"variant": variant, "kind": "regular", "price": price, "quantity": 5, "per_buyer": 5, "hold_s": 10});
        let offer = id(&host.post(&format!("/v1/streams/{}/offers", self.stream), form).await.expect(201));
        host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
        offer
    }

    async fn live(&self, user: &str) -> Live {
        let join = JoinOptions { token: Some(sign(KEY, user, "viewer", 3_600)), ..JoinOptions::default() };
        Live::join(&self.server.url, &self.stream, join).await.unwrap()
    }
}

#[tokio::test]
async fn serve_without_payments_reserves_and_refuses_to_be_paid() {
    let folder = tempfile::tempdir().unwrap();
    let shop = plain_shop(&folder, &[]).await;
    let rest = shop.server.rest();
    assert!(rest.get("/v1/shop").await.expect(200)["payments"].is_null());
    let (offer, free) = (shop.on_sale(100).await, shop.on_sale(0).await);
    let mut live = shop.live("Ann").await;
    let held = hold(&mut live, &offer, 1).await;
    for token in ["ok", "declined", "anything"] {
        assert_eq!(live.ask(pay(&id(&held), token, &key())).await.unwrap_err()["code"], "payments_off", "{token}");
    }
    let ann = rest.with_token(&sign(KEY, "Ann", "viewer", 3_600));
    let path = format!("/v1/orders/{}", id(&held));
    let refused = ann.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "ok"})).await;
    refused.expect_problem(409, "payments_off");
    assert_eq!(ann.get(&path).await.expect(200)["status"], "held", "a refused payment leaves the reservation as it is");

    // What costs nothing needs no provider.
    let gift = live.ask(buy(&free, 1)).await.unwrap();
    let paid = live.ask(pay(&id(&gift["order"]), "ok", &key())).await.unwrap();
    assert_eq!(paid["order"]["status"], "paid");

    // The reservation ends at its time, and the unit is on sale again.
    until_some("end of the reservation", SOON, async || {
        (ann.get(&path).await.expect(200)["status"] == "expired").then_some(())
    })
    .await;
    assert_eq!(rest.get(&format!("/v1/offers/{offer}")).await.expect(200)["left"], 5);
}

#[tokio::test]
async fn routes_of_the_test_provider_exist_only_with_it() {
    let folder = tempfile::tempdir().unwrap();
    for (more, exist) in [(&[][..], false), (&["--payments", "test"][..], true)] {
        let mut shop = plain_shop(&folder, more).await;
        let rest = shop.server.rest();
        let openapi = rest.get("/v1/openapi.json").await.expect(200);
        for path in ["/v1/test-provider/{payment}/approve", "/v1/webhooks/{provider}"] {
            assert_eq!(openapi["paths"][path].is_object(), exist, "{path} in the document");
        }
        for path in ["/v1/test-provider/t_1/approve", "/v1/webhooks/test"] {
            let answer = rest.post(path, json!({"approve": true})).await;
            assert_eq!(answer.body["code"] != "not_found", exist, "{path}: {answer:?}");
        }
        let provider = rest.get("/v1/shop").await.expect(200)["payments"].clone();
        assert_eq!(provider, if exist { json!("test") } else { json!(null) });
        let is_loud = shop.server.process.stderr().contains("TEST PAYMENTS ARE ON");
        assert_eq!(is_loud, exist, "{}", shop.server.process.stderr());
        assert!(shop.server.stop().await.success());
    }
}

#[tokio::test]
async fn payment_made_with_the_test_provider_keeps_its_result_when_the_provider_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = plain_shop(&folder, &["--payments", "test"]).await;
    let offer = shop.on_sale(100).await;
    let mut live = shop.live("Ann").await;
    let held = hold(&mut live, &offer, 1).await;
    let with = key();
    live.ask(pay(&id(&held), "ok", &with)).await.unwrap();
    assert!(shop.server.stop().await.success());

    let again = plain_shop(&folder, &[]).await;
    assert_eq!(again.store, shop.store);
    let ann = again.server.rest().with_token(&sign(KEY, "Ann", "viewer", 3_600));
    let path = format!("/v1/orders/{}", id(&held));
    let replayed = ann.post_keyed(&format!("{path}/pay"), &with, json!({"token": "ok"})).await.expect(200);
    assert_eq!(replayed["status"], "paid");
    // The money was never real, so it cannot be given back through a provider that is off.
    let host = again.server.rest().with_token(&sign(KEY, "the-host", "host", 3_600));
    let refund = host.post_keyed(&format!("{path}/refund"), &key(), json!({"restock": true})).await;
    refund.expect_problem(409, "payments_off");
    assert_eq!(ann.get(&path).await.expect(200)["status"], "paid");
}
