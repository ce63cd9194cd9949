//! Helpers: an invite link gives one role in one show until the host revokes it.

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id};

async fn helper(shop: &Shop, role: &str) -> (String, Rest, String) {
    let made = shop.host.post(&shop.path("invites"), json!({"role": role, "expires_s": 3_600})).await.expect(201);
    let path = format!("/v1/invites/{}", made["code"].as_str().unwrap());
    let welcome = shop.server.rest().post(&path, json!({"name": "Hal"})).await.expect(201);
    assert_eq!((&welcome["role"], &welcome["expires_at"]), (&json!(role), &made["invite"]["expires_at"]));
    let token = welcome["token"].as_str().unwrap().to_owned();
    (id(&made["invite"]), shop.server.rest().with_token(&token), token)
}

#[tokio::test]
async fn invite_gives_its_role_in_this_show_only() {
    let shop = Shop::demo(&[]).await;
    let other = id(&shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    let offer = shop.on_sale(5, json!({})).await;
    for (role, moderates, sells, counts) in
        [("moderator", true, false, false), ("producer", true, true, true), ("analyst", false, false, true)]
    {
        let (_, rest, _) = helper(&shop, role).await;
        let status = |may| if may { 200 } else { 403 };
        rest.get(&shop.path("mutes")).await.expect(status(moderates));
        rest.put(&shop.path("pin"), json!({"offer": offer})).await.expect(status(sells));
        rest.get(&shop.path("report")).await.expect(status(counts));
        rest.get(&shop.path("invites")).await.expect_problem(403, "forbidden");
        rest.post(&shop.path("invites"), json!({"role": "producer"})).await.expect_problem(403, "forbidden");
        rest.post(&shop.path("end"), json!({})).await.expect_problem(403, "forbidden");
        for path in ["mutes", "report"] {
            rest.get(&format!("/v1/streams/{other}/{path}")).await.expect_problem(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn revocation_ends_the_link_the_token_and_the_connection() {
    let shop = Shop::demo(&[]).await;
    let (invite, rest, token) = helper(&shop, "moderator").await;
    let mut live = shop.join(&token).await.unwrap();
    let listed = shop.host.get(&shop.path("invites")).await.expect(200);
    assert_eq!(listed["items"][0]["helpers"][0]["name"], "Hal");
    assert_eq!(listed["items"][0]["helpers"][0]["online"], true);
    assert!(!listed.to_string().contains("code"), "the code is returned only once: {listed}");
    let path = shop.path(&format!("invites/{invite}"));
    rest.delete(&path).await.expect_problem(403, "forbidden");
    shop.host.delete(&path).await.expect(204);
    shop.host.delete(&path).await.expect(204);
    assert_eq!(live.closed(SOON).await.code, 4501);
    assert_eq!(shop.join(&token).await.expect_err("the token is revoked").code, 4501);
    rest.get(&shop.path("mutes")).await.expect_problem(401, "token_invalid");
    rest.get("/v1/orders").await.expect_problem(401, "token_invalid");
    let listed = shop.host.get(&shop.path("invites")).await.expect(200);
    assert!(listed["items"][0]["revoked_at"].is_i64());
}

#[tokio::test]
async fn invalid_invites_are_refused() {
    let shop = Shop::demo(&[]).await;
    let rest = shop.server.rest();
    rest.post("/v1/invites/unknown-invite-code", json!({"name": "Hal"})).await.expect_problem(404, "no_such_invite");
    for role in ["host", "admin", "viewer", "guest", "king"] {
        shop.host.post(&shop.path("invites"), json!({"role": role})).await.expect_problem(400, "bad_request");
    }
    for seconds in [0, 599, 2_592_001] {
        let form = json!({"role": "analyst", "expires_s": seconds});
        shop.host.post(&shop.path("invites"), form).await.expect_problem(400, "bad_request");
    }
    let made = shop.host.post(&shop.path("invites"), json!({"role": "analyst"})).await.expect(201);
    let path = format!("/v1/invites/{}", made["code"].as_str().unwrap());
    rest.post(&path, json!({"name": ""})).await.expect_problem(400, "bad_request");
    let nothing = shop.path(&format!("invites/{}", unknown_id()));
    shop.host.delete(&nothing).await.expect_problem(404, "no_such_invite");
}

fn unknown_id() -> &'static str {
    "01890000-0000-7000-8000-000000000000"
}

/// True if the value has a key of sales figures. Every viewer may read how many units of an offer are left.
fn has_sales_figures(value: &Value) -> bool {
    let text = value.to_string();
    ["orders_paid", "amount_paid", "units_paid", "orders_held", "\"amount\"", "reserved", "\"stock\""]
        .iter()
        .any(|key| text.contains(key))
}

#[tokio::test]
async fn moderator_receives_no_sales_figures() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let (_, rest, token) = helper(&shop, "moderator").await;
    let mut live = shop.join(&token).await.unwrap();
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/offers/{offer}/orders"));
    let held = ann.post_keyed(&path, "key-00001", json!({"qty": 1})).await.expect(201);
    let order = id(&held);
    let pay = format!("/v1/orders/{order}/pay");
    ann.post_keyed(&pay, "key-00002", json!({"token": "ok"})).await.expect(200);
    let bought = live.event("purchase", SOON, |event| event["type"] == "purchased").await;
    assert!(!has_sales_figures(&bought) && !has_sales_figures(&live.hello), "{bought}");
    for path in
        [shop.path("offers"), shop.path("messages"), shop.path("mutes"), "/v1/orders".into(), "/v1/products".into()]
    {
        let body = rest.get(&path).await.expect(200);
        assert!(!has_sales_figures(&body), "{path}: {body}");
    }
    for path in [shop.path("report"), shop.path("report/full"), shop.path("report.csv"), shop.path("invites")] {
        rest.get(&path).await.expect_problem(403, "forbidden");
    }
    rest.get(&format!("/v1/orders/{order}")).await.expect_problem(404, "not_yours");
}
