//! The keys of Stripe that an owner sets at one node take payments at every node, and are replaced and removed, without a restart.

use std::time::Duration;

use fake_stripe::{Endpoint, FakeStripe, Options};
use serde_json::{Value, json};

use super::fixture::Nodes;
use crate::support::cookie_page::CookiePage;
use crate::support::process::Process;
use crate::support::shop::{Shop, id, key};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

const BASE: &str = "https://shop.example";
const KEYS: &str = "/v1/shop/settings/stripe";
const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);
const FIRST: [&str; 3] =
    ["rk_test_first_9f8e7d6c5b4a1111", "pk_test_first_9f8e7d6c5b4a2222", "whsec_first_9f8e7d6c5b4a3333"];

/// The browser of the owner, at the first node.
async fn owner(nodes: &Nodes) -> CookiePage {
    let folder = tempfile::tempdir().unwrap();
    let mut recover = Process::livesouk(&["owner", "recover", "--store", &nodes.database_url()], folder.path());
    assert!(recover.end(SOON).await.success(), "{}", recover.stderr());
    let code = recover.stdout().trim().split_once("/setup#").unwrap().1.to_owned();
    let page = CookiePage::at(&nodes.one.server.url, BASE);
    page.post("/v1/setup", json!({"code": code, "owner": {"name": "Olla"}})).await.expect(201);
    page
}

fn form([secret, public, webhook]: [&str; 3]) -> Value {
    json!({"key": secret, "publishable_key": public, "webhook_secret": webhook})
}

async fn until_form(shop: &Shop, publishable_key: &str) {
    let there = async || {
        let shown = shop.server.rest().get("/v1/shop").await.expect(200);
        (shown["payments"] == "stripe" && shown["stripe"]["publishable_key"] == publishable_key).then_some(())
    };
    until_some("the keys at a node", IN_FORCE_WITHIN, there).await;
}

async fn until_off(shop: &Shop) {
    let gone = async || {
        let shown = shop.server.rest().get("/v1/shop").await.expect(200);
        (shown["payments"].is_null() && shown["stripe"].is_null()).then_some(())
    };
    until_some("the end of the keys at a node", IN_FORCE_WITHIN, gone).await;
}

/// A buyer at a node, with an order that is held.
async fn hold(shop: &Shop, offer: &str, buyer: &str) -> (Live, String) {
    let mut live = shop.live(buyer, "viewer").await;
    let held = live.ask(json!({"do": "buy", "offer": offer, "qty": 1, "key": key()})).await.unwrap();
    (live, id(&held["order"]))
}

async fn pay(live: &mut Live, order: &str, token: &str) -> Result<Value, Value> {
    live.ask(json!({"do": "pay", "order": order, "token": token, "key": key()})).await
}

#[tokio::test]
async fn keys_of_the_settings_take_payments_on_every_node_without_a_restart() {
    let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secrets_key = folder.path().join("secrets.key");
    std::fs::write(&secrets_key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap();
    let secrets_key = secrets_key.display().to_string();
    let settings = [
        ["--payments", "stripe"],
        ["--base-url", BASE],
        ["--secrets-key-file", &secrets_key],
        ["--stripe-api-base", fake.base()],
    ];
    let nodes = Nodes::with(&settings.concat()).await;
    let owner = owner(&nodes).await;
    let at_two = owner.at_node(&nodes.two.server).with_origin(BASE);
    let offer = nodes.one.on_sale(9, json!({"per_buyer": 3, "hold_s": 600})).await;
    let card = |number: &str| fake.confirmation_token(number).unwrap();

    let shown = owner.get(KEYS).await.expect(200);
    assert_eq!((&shown["fixed"], &shown["mode"], &shown["key"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(shown["webhook_url"], format!("{BASE}/v1/webhooks/stripe"));
    let (mut ann, first) = hold(&nodes.two, &offer, "Ann").await;
    assert_eq!(pay(&mut ann, &first, &card("4242424242424242")).await.unwrap_err()["code"], "payments_off");
    let knock = nodes.two.server.rest().post("/v1/webhooks/stripe", json!({})).await;
    knock.expect_problem(404, "not_found");

    // Set at one node: at both within two seconds.
    let set = owner.put(KEYS, form(FIRST)).await.expect(200);
    assert_eq!(set, json!({"mode": "test", "is_other_account": false}));
    for node in nodes.both() {
        until_form(node, FIRST[1]).await;
    }
    let shown = at_two.get(KEYS).await.expect(200);
    assert_eq!((&shown["mode"], &shown["key"]["hint"]), (&json!("test"), &json!("rk_test_…1111")));
    assert_eq!((&shown["webhook_secret"]["hint"], &shown["key"]["by"]), (&json!("whsec_…3333"), &json!("Olla")));
    let paid = pay(&mut ann, &first, &card("4242424242424242")).await.unwrap();
    assert_eq!(paid["order"]["status"], "paid");

    // The event with which a payment is finished is signed with the secret that was set.
    let url = format!("{}/v1/webhooks/stripe", nodes.one.server.url);
    fake.add_endpoint(Endpoint { url, secrets: vec![FIRST[2].to_owned()], has_old_shape: false });
    let (mut bob, second) = hold(&nodes.one, &offer, "Bob").await;
    assert_eq!(pay(&mut bob, &second, &card("4000000000003220")).await.unwrap_err()["code"], "needs_action");
    let intent = id(fake.intents().last().unwrap());
    assert!(fake.authenticate(&intent, true));
    let frame = |frame: &Value| frame["t"] == "order" && frame["order"]["status"] == "paid";
    bob.until("the paid order", SOON, frame).await;

    // Replaced at the other node, and the old key ends: what was paid with it can be looked up and given back.
    let next = ["rk_test_next_9f8e7d6c5b4a4444", "pk_test_next_9f8e7d6c5b4a5555", ""];
    at_two.put(KEYS, form(next)).await.expect(200);
    for node in nodes.both() {
        until_form(node, next[1]).await;
    }
    let shown = owner.get(KEYS).await.expect(200);
    assert_eq!(
        (&shown["key"]["hint"], &shown["webhook_secret"]["hint"]),
        (&json!("rk_test_…4444"), &json!("whsec_…3333"))
    );
    fake.revoke(FIRST[0]);
    let refund = json!({"reason": "broken", "restock": true});
    let given_back = nodes.one.host.post_keyed(&format!("/v1/orders/{first}/refund"), &key(), refund).await;
    assert_eq!(given_back.expect(200)["status"], "refunded");
    let (mut cat, third) = hold(&nodes.one, &offer, "Cat").await;
    assert_eq!(pay(&mut cat, &third, &card("4242424242424242")).await.unwrap()["order"]["status"], "paid");

    // A key that does not know these payments is refused while others are in use.
    let other = ["rk_test_other_9f8e7d6c5b4a", "pk_test_other_9f8e7d6c5b4a", ""];
    owner.put(KEYS, form(other)).await.expect_problem(409, "stripe_account_changes");

    owner.delete(KEYS).await.expect(204);
    for node in nodes.both() {
        until_off(node).await;
    }
    let (mut dan, fourth) = hold(&nodes.two, &offer, "Dan").await;
    assert_eq!(pay(&mut dan, &fourth, &card("4242424242424242")).await.unwrap_err()["code"], "payments_off");

    let log = owner.get("/v1/audit-log").await.expect(200);
    let entries: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"].as_str().unwrap().contains("stripe"))
        .collect();
    let kinds: Vec<_> = entries.iter().map(|one| (one["kind"].as_str().unwrap(), one["detail"].as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("remove_stripe_keys", Some("rk_test_…4444")),
            ("set_stripe_keys", Some("rk_test_…4444")),
            ("set_stripe_keys", Some("rk_test_…1111")),
        ]
    );
    for node in nodes.both() {
        let said = node.server.process.stderr();
        for secret in [FIRST[0], FIRST[2], next[0], other[0]] {
            assert!(!said.contains(secret) && !log.to_string().contains(secret), "{secret} is in a log");
        }
    }
}
