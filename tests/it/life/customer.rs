//! Customers at the desk: who bought, what the team notes about them, and the block that holds in the whole shop.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::staff::role::{demo_with_owner, join};
use crate::support::cookie_page::CookiePage;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);

async fn buy(buyer: &Rest, offer: &str) -> String {
    id(&buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201))
}

async fn pay(buyer: &Rest, order: &str) {
    buyer.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
}

async fn found(shop: &Shop, query: &str) -> Vec<String> {
    let page = shop.host.get(&format!("/v1/shop/customers?{query}")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|one| one["user"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the list has so many customers: the job that sums orders adds them.
async fn until_customers(shop: &Shop, count: usize) {
    let there = async || (found(shop, "").await.len() == count).then_some(());
    until_some("the customers", SOON, there).await;
}

#[tokio::test]
async fn whoever_paid_is_in_the_list_and_found_by_any_form_of_the_name() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(10, json!({"price": 100, "per_buyer": 10})).await;
    let mut users = Vec::new();
    for name in ["Ann Example", "أَحمد ١٢", "Bob 100%"] {
        let form = json!({"name": name, "role": "viewer"});
        let signed_in = shop.server.rest().post("/v1/dev/tokens", form).await.expect(201);
        let buyer = shop.server.rest().with_token(signed_in["token"].as_str().unwrap());
        let order = buy(&buyer, &offer).await;
        pay(&buyer, &order).await;
        users.push(signed_in["user"].as_str().unwrap().to_owned());
    }
    let [ann, ahmad, bob] = [0, 1, 2].map(|at: usize| users[at].as_str());
    until_customers(&shop, 3).await;
    assert_eq!(found(&shop, "").await, [bob, ahmad, ann], "those who bought last come first");
    for (search, expected) in [
        ("EXAMPLE", &[ann][..]),
        ("احمد", &[ahmad]),
        ("12", &[ahmad]),
        ("100%25", &[bob]),
        ("n_e", &[]),
        ("nobody@example.com", &[]),
    ] {
        assert_eq!(found(&shop, &format!("search={search}")).await, expected, "{search}");
    }
    // Pages.
    let first = shop.host.get("/v1/shop/customers?limit=2").await.expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    assert_eq!(found(&shop, &format!("limit=2&after={next}")).await, [ann]);

    let path = format!("/v1/shop/customers/{ann}");
    let detail = shop.host.get(&path).await.expect(200);
    assert_eq!((&detail["orders_paid"], &detail["amount_paid"]), (&json!(1), &json!(100)));
    let note = format!("{path}/notes/{}", Uuid::now_v7());
    for _ in 0..2 {
        shop.host.put(&note, json!({"text": "Likes red\nlamps"})).await.expect(200);
    }
    let detail = shop.host.get(&path).await.expect(200);
    let notes = detail["notes"].as_array().unwrap();
    assert_eq!((notes.len(), &notes[0]["text"]), (1, &json!("Likes red\nlamps")));
    shop.host.get("/v1/shop/customers/nobody").await.expect_problem(404, "no_such_customer");
}

#[tokio::test]
async fn blocked_person_is_out_of_every_show_and_keeps_their_orders() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(10, json!({"price": 100, "per_buyer": 10})).await;
    let eve = shop.rest("Eve", "viewer");
    let order = buy(&eve, &offer).await;
    let mut live = shop.live("Eve", "viewer").await;
    let mut other = shop.live("Ann", "viewer").await;
    shop.host.put("/v1/shop/customers/Eve/block", json!({"reason": "Never pays"})).await.expect(204);
    assert_eq!(live.closed(IN_FORCE_WITHIN).await.code, 4502);
    assert_eq!(shop.join(&shop.token("Eve", "viewer")).await.err().map(|closed| closed.code), Some(4502));
    eve.post(&shop.path("messages"), json!({"text": "hello"})).await.expect_problem(403, "banned");
    let path = format!("/v1/offers/{offer}/orders");
    eve.post_keyed(&path, &key(), json!({"qty": 1})).await.expect_problem(403, "banned");
    // In a show that nobody of this node has seen yet, too.
    let new = id(&shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    shop.host.post(&format!("/v1/streams/{new}/start"), json!({})).await.expect(200);
    eve.post(&format!("/v1/streams/{new}/messages"), json!({"text": "hi"})).await.expect_problem(403, "banned");
    pay(&eve, &order).await;
    eve.get("/v1/orders").await.expect(200);
    other.ask(json!({"do": "say", "text": "still here"})).await.unwrap();

    until_customers(&shop, 1).await;
    let detail = shop.host.get("/v1/shop/customers/Eve").await.expect(200);
    assert_eq!((&detail["customer"]["is_blocked"], &detail["block"]["reason"]), (&json!(true), &json!("Never pays")));
    shop.host.delete("/v1/shop/customers/Eve/block").await.expect(204);
    eve.post(&shop.path("messages"), json!({"text": "hello"})).await.expect(201);
    let log = shop.rest("Root", "admin").get("/v1/audit-log").await.expect(200);
    let kinds: Vec<&Value> = log["items"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds[..2], [&json!("unblock_customer"), &json!("block_customer")]);
}

#[tokio::test]
async fn block_goes_downwards_in_rank_and_binds_the_account_that_a_guest_becomes() {
    let (shop, owner, _) = demo_with_owner().await;
    let (admin, admin_account) = join(&shop, &owner, "adam@example.com", "admin").await;
    let block = |user: &str| format!("/v1/shop/customers/{user}/block");
    let of_admin = block(&format!("acct:{admin_account}"));
    shop.host.put(&of_admin, json!({})).await.expect_problem(403, "outranked");
    owner.put(&block("Eve"), json!({})).await.expect(204);
    shop.host.delete(&block("Eve")).await.expect_problem(403, "outranked");
    shop.host.put(&block("Eve"), json!({})).await.expect_problem(403, "outranked");
    admin.delete(&block("Eve")).await.expect_problem(403, "outranked");
    shop.host.put(&block("the-host"), json!({})).await.expect_problem(400, "bad_request");

    let page = CookiePage::of(&shop.server);
    let guest = page.sign_in_guest("Gus").await;
    shop.host.put(&block(&guest), json!({})).await.expect(204);
    page.post(&shop.path("messages"), json!({"text": "hello"})).await.expect_problem(403, "banned");
    page.sign_in_by_email(&shop.server, "gus@example.com", "Gus").await;
    let bound = async || {
        let answer = page.post(&shop.path("messages"), json!({"text": "hello"})).await;
        (answer.body["code"] == "banned").then_some(())
    };
    until_some("the block of the account", IN_FORCE_WITHIN, bound).await;
}

#[tokio::test]
async fn everything_about_a_user_is_in_the_file_also_above_a_thousand_rows() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(10, json!({"price": 100, "per_buyer": 10})).await;
    let ann = shop.rest("Ann", "viewer");
    let order = buy(&ann, &offer).await;
    pay(&ann, &order).await;
    shop.host
        .post_keyed(&format!("/v1/orders/{order}/refund"), &key(), json!({"restock": true, "reason": "Broken"}))
        .await
        .expect(200);
    shop.change(
        "with recursive n(n) as (select 1 union all select n + 1 from n where n < 1100)
            insert into stock_alerts (offer, user_id, stream, created_at)
            select randomblob(16), 'Ann', randomblob(16), n from n",
    )
    .await;
    shop.change(
        "with recursive n(n) as (select 1 union all select n + 1 from n where n < 1100)
            insert into sanctions (stream, user_id, kind, user_name, until, by_user, created_at, by_role, person)
            select randomblob(16), 'Ann', 'mute', 'Ann', 1, 'mo', n, 'moderator', 'Ann' from n",
    )
    .await;
    let read = async |file: Value| {
        let lines: Vec<Value> =
            file.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let count = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
        assert_eq!((count("stock_alert"), count("sanction"), count("order")), (1_100, 1_100, 1));
        let refund = lines.iter().find(|line| line["kind"] == "refund").expect("the refund");
        assert_eq!((&refund["data"]["reason"], &refund["data"]["amount"]), (&json!("Broken"), &json!(100)));
    };
    read(ann.get("/v1/me/data").await.expect(200)).await;
    // The same for the desk, which leaves a trace.
    let root = shop.rest("Root", "admin");
    read(root.get("/v1/shop/customers/Ann/data").await.expect(200)).await;
    shop.host.get("/v1/shop/customers/Ann/data").await.expect_problem(403, "forbidden");
    let newest = &root.get("/v1/audit-log").await.expect(200)["items"][0];
    assert_eq!((&newest["kind"], &newest["user"]), (&json!("export_user_data"), &json!("Ann")));
}

#[tokio::test]
async fn erasure_says_what_stays_in_the_language_of_the_customer() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(10, json!({"price": 100, "per_buyer": 10})).await;
    let root = shop.rest("Root", "admin");
    let why = |erased: &Value| erased["kept"][0]["why"].as_str().unwrap().to_owned();
    // A user of the shop's site has no language here: the one of the desk.
    let ann = shop.rest("Ann", "viewer");
    let order = buy(&ann, &offer).await;
    pay(&ann, &order).await;
    until_customers(&shop, 1).await;
    shop.host.put(&format!("/v1/shop/customers/Ann/notes/{}", Uuid::now_v7()), json!({"text": "x"})).await.expect(200);
    let erased = root.delete("/v1/users/Ann?lang=id").await.expect(200);
    assert!(why(&erased).starts_with("Jumlah, waktu"), "{erased}");
    let detail = shop.host.get("/v1/shop/customers/Ann").await.expect(200);
    assert_eq!((&detail["customer"]["name"], &detail["notes"]), (&json!(""), &json!([])));
    // An account has one.
    let page = CookiePage::of(&shop.server);
    let asked = page.post("/v1/session/email", json!({"email": "noor@example.com", "lang": "ar"})).await.expect(202);
    let code = crate::support::cookie_page::last_code(&shop.server, "noor@example.com").await;
    let typed = json!({"id": asked["id"], "code": code, "name": "Noor"});
    let user = page.post("/v1/session/email/verify", typed).await.expect(201)["user"].as_str().unwrap().to_owned();
    page.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await.expect(201);
    let erased = root.delete(&format!("/v1/users/{user}?lang=en")).await.expect(200);
    assert_eq!((why(&erased).starts_with("المبالغ"), &erased["language"]), (true, &json!("ar")), "{erased}");
}

#[tokio::test]
async fn link_to_an_order_ends_after_half_a_year() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(10, json!({"price": 100})).await;
    let ann = shop.rest("Ann", "viewer");
    let order = buy(&ann, &offer).await;
    let link = ann.post(&format!("/v1/orders/{order}/link"), json!({})).await.expect(201);
    let secret = json!({"secret": link["secret"]});
    let anonymous = shop.server.rest();
    shop.change("update order_links set created_at = created_at - 15500000000").await;
    anonymous.post("/v1/order-links", secret.clone()).await.expect(200);
    shop.change("update order_links set created_at = created_at - 60000000").await;
    anonymous.post("/v1/order-links", secret).await.expect_problem(404, "not_yours");
}
