//! Helpers: an invite link gives one role in one show until the host revokes it.

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id};
use crate::support::socket::{JoinOptions, Live};

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
async fn revoked_helper_loses_the_connection_to_another_show() {
    let shop = Shop::demo(&[]).await;
    let other = id(&shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    let (invite, _, token) = helper(&shop, "producer").await;
    let join = JoinOptions { token: Some(token.clone()), ..JoinOptions::default() };
    let mut elsewhere = Live::join(&shop.server.url, &other, join.clone()).await.unwrap();
    assert_eq!(elsewhere.hello["you"]["role"], "viewer");
    shop.host.delete(&shop.path(&format!("invites/{invite}"))).await.expect(204);
    assert_eq!(elsewhere.closed(SOON).await.code, 4501);
    assert_eq!(Live::join(&shop.server.url, &other, join).await.expect_err("revoked").code, 4501);
}

#[tokio::test]
async fn invite_is_for_one_user_unless_the_host_allows_more() {
    let shop = Shop::demo(&[]).await;
    let accept = async |code: &Value, name: &str| {
        let path = format!("/v1/invites/{}", code.as_str().unwrap());
        shop.server.rest().post(&path, json!({"name": name})).await
    };
    let single = shop.host.post(&shop.path("invites"), json!({"role": "moderator"})).await.expect(201);
    assert_eq!(single["invite"]["uses"], 1);
    // Two at once: one of them is the first.
    let (one, two) = tokio::join!(accept(&single["code"], "Mo"), accept(&single["code"], "Mia"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 404]);
    accept(&single["code"], "Max").await.expect_problem(404, "no_such_invite");

    let three = shop.host.post(&shop.path("invites"), json!({"role": "moderator", "uses": 3})).await.expect(201);
    let mo = accept(&three["code"], "Mo").await.expect(201);
    accept(&three["code"], "Mia").await.expect(201);
    // Whoever is banned does not come back by the same link under another name, and nobody else comes by it.
    let ban = shop.path(&format!("bans/{}", mo["user"].as_str().unwrap()));
    shop.host.put(&ban, json!({})).await.expect(200);
    accept(&three["code"], "Not Mo").await.expect_problem(404, "no_such_invite");
    shop.host.delete(&ban).await.expect(204);
    accept(&three["code"], "Max").await.expect(201);
    accept(&three["code"], "Meg").await.expect_problem(404, "no_such_invite");
}

#[tokio::test]
async fn moderator_does_not_ban_a_producer_who_never_wrote_a_message() {
    let shop = Shop::demo(&[]).await;
    let (_, mo, _) = helper(&shop, "moderator").await;
    let (_, pia, token) = helper(&shop, "producer").await;
    let welcome = shop.join(&token).await.unwrap().hello;
    let path = shop.path(&format!("bans/{}", welcome["you"]["id"].as_str().unwrap()));
    mo.put(&path, json!({})).await.expect_problem(403, "outranked");
    // A producer of the whole shop, of whom the server knows nothing yet: the ban does not bind.
    mo.put(&shop.path("bans/Paul"), json!({})).await.expect(200);
    shop.rest("Paul", "producer").get(&shop.path("report")).await.expect(200);
    shop.live("Paul", "producer").await.ask(json!({"do": "say", "text": "hi"})).await.unwrap();
    pia.get(&shop.path("report")).await.expect(200);
    pia.put(&shop.path("bans/Paul"), json!({})).await.expect_problem(403, "outranked");
    shop.host.put(&path, json!({})).await.expect(200);
    pia.get(&shop.path("report")).await.expect_problem(403, "banned");
}

#[tokio::test]
async fn invalid_invites_are_refused() {
    let shop = Shop::demo(&[]).await;
    let rest = shop.server.rest();
    rest.post("/v1/invites/unknown-invite-code", json!({"name": "Hal"})).await.expect_problem(404, "no_such_invite");
    for role in ["host", "admin", "viewer", "anonymous", "king"] {
        shop.host.post(&shop.path("invites"), json!({"role": role})).await.expect_problem(400, "bad_request");
    }
    for uses in [0, 21, -1] {
        let form = json!({"role": "analyst", "uses": uses});
        let refused = shop.host.post(&shop.path("invites"), form).await.expect_problem(400, "bad_request");
        assert_eq!(refused["field"], "uses");
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
