//! Following by e-mail: nothing without the confirmation of the owner of the address, one mail for each show, and one request ends it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{home, order_by, pass_the_pause, shop_with, until_status};
use crate::support::cookie_page::CookiePage;
use crate::support::mail_server::{MailMode, MailServer};
use crate::support::shop::{Shop, id};
use crate::support::{SOON, until_some};

const BASE: &str = "https://shop.example";
const ANN: &str = "ann@example.com";

async fn shop(server: &MailServer) -> Shop {
    shop_with(server, &["--base-url", BASE]).await
}

fn subject(mail: &Value) -> &str {
    mail["headers"]["subject"].as_str().unwrap()
}

fn plain(mail: &Value) -> &str {
    let parts = mail["parts"].as_array().unwrap();
    parts.iter().find(|part| part["type"] == "text/plain").unwrap()["text"].as_str().unwrap()
}

/// What stands behind `before` in the text of a mail, up to the end of its line.
fn behind<'m>(mail: &'m Value, before: &str) -> &'m str {
    let (_, rest) = plain(mail).split_once(before).unwrap_or_else(|| panic!("no {before} in {}", plain(mail)));
    rest.lines().next().unwrap()
}

/// Follows by an address that nobody has proven, and confirms it by the link of the mail, which is the `n`-th.
async fn follow(shop: &Shop, server: &MailServer, n: usize, form: Value) -> Value {
    let rest = shop.server.rest();
    let answer = rest.post("/v1/follows", form).await.expect(202);
    assert_eq!(answer, json!({"follow": null}));
    let mails = server.until_mails(n).await;
    let secret = behind(&mails[n - 1], "#confirm=");
    rest.post("/v1/follows/confirm", json!({"secret": secret})).await.expect(201)
}

async fn scheduled(shop: &Shop, title: &str) -> String {
    id(&shop.host.post("/v1/streams", json!({"title": title})).await.expect(201))
}

async fn start(shop: &Shop, stream: &str) {
    shop.host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
}

/// Waits until no announcement is left.
async fn until_told(shop: &Shop) {
    let open = "select (select count(*) from announcements where finished_at is null)
        + (select count(*) from mails where status in ('queued', 'sending'))";
    until_some("notified followers", SOON * 3, async || (shop.number(open).await == 0).then_some(())).await;
}

#[tokio::test]
async fn nobody_is_told_before_the_address_is_confirmed_and_then_once_for_each_show() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    let rest = shop.server.rest();
    rest.post("/v1/follows", json!({"email": ANN, "lang": "en"})).await.expect(202);
    let asked = server.until_mails(1).await.remove(0);
    assert_eq!((&asked["to"], subject(&asked)), (&json!([ANN]), "Please confirm: e-mails from Bayt Al Souk"));
    assert!(asked["headers"]["list-unsubscribe"].is_null(), "it is no news: {asked:#}");
    let (early, first, second) =
        (scheduled(&shop, "Early").await, scheduled(&shop, "First").await, scheduled(&shop, "Second").await);
    start(&shop, &early).await;
    assert_eq!(shop.number("select count(*) from announcements").await, 0, "there is no follower");
    let secret = behind(&asked, "#confirm=");
    assert_eq!(secret.len(), 64);
    assert_eq!(shop.number("select count(*) from follows").await, 0);
    let wrong = json!({"secret": "0".repeat(64)});
    rest.post("/v1/follows/confirm", wrong).await.expect_problem(404, "follow_link_invalid");
    for _ in 0..2 {
        let follow = rest.post("/v1/follows/confirm", json!({"secret": secret})).await.expect(201);
        assert_eq!((&follow["email"], &follow["product"]), (&json!(ANN), &Value::Null));
    }
    assert_eq!(shop.number("select count(*) from follows").await, 1, "to confirm it again changes nothing");
    for (number, stream) in [(2, &first), (3, &second)] {
        start(&shop, stream).await;
        let mails = server.until_mails(number).await;
        let news = &mails[number - 1];
        assert_eq!(news["to"], json!([ANN]));
        assert!(plain(news).contains(&format!("{BASE}/watch?stream={stream}")), "{}", plain(news));
    }
    until_told(&shop).await;
    let mails = server.mails();
    assert_eq!(mails.len(), 3, "one for each show");
    assert_eq!((subject(&mails[1]), subject(&mails[2])), ("Live now: First", "Live now: Second"));
    let headers = &mails[1]["headers"];
    assert_eq!(headers["list-unsubscribe-post"], "List-Unsubscribe=One-Click");
    let address = headers["list-unsubscribe"].as_str().unwrap();
    assert!(address.starts_with(&format!("<{BASE}/unsubscribe/")) && address.ends_with('>'), "{address}");
    let kept = "select count(*) from mails where content <> ''";
    assert_eq!(shop.number(kept).await, 0, "no secret stays in the log");
}

#[tokio::test]
async fn one_request_without_cookie_and_origin_ends_the_follow_and_a_get_does_not() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    follow(&shop, &server, 1, json!({"email": ANN})).await;
    let product = product(&shop).await;
    follow(&shop, &server, 2, json!({"email": "Ann+tag@example.com", "product": product})).await;
    follow(&shop, &server, 3, json!({"email": "ben@example.com"})).await;
    let one = scheduled(&shop, "One").await;
    start(&shop, &one).await;
    let news = server.until_mails(5).await;
    let of_ann = news.iter().rfind(|mail| mail["to"] == json!([ANN])).unwrap();
    let secret = behind(of_ann, "/unsubscribe/").split('?').next().unwrap().to_owned();
    let path = format!("/unsubscribe/{secret}");
    let rest = shop.server.rest();
    let page = rest.send(Method::GET, &path, &[], None).await;
    assert_eq!((page.status, shop.number("select count(*) from follows").await), (200, 3), "a GET changes nothing");
    let form = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://mail.example")];
    for _ in 0..2 {
        let answer = rest.send_text(Method::POST, &path, &form, "List-Unsubscribe=One-Click").await;
        assert_eq!(answer.expect(200), json!({"stopped": true}), "also when it has ended already");
    }
    assert_eq!(shop.number("select count(*) from follows where email = 'ann@example.com'").await, 0);
    assert_eq!(shop.number("select count(*) from follows").await, 2, "the others stay");
    let two = scheduled(&shop, "Two").await;
    start(&shop, &two).await;
    let last = server.until_mails(6).await.pop().unwrap();
    until_told(&shop).await;
    assert_eq!((server.mails().len(), &last["to"]), (6, &json!(["ben@example.com"])));
    // The whole mailbox, with its other spelling.
    follow(&shop, &server, 7, json!({"email": ANN})).await;
    let three = scheduled(&shop, "Three").await;
    start(&shop, &three).await;
    let news = server.until_mails(9).await;
    let of_ann = news.iter().rfind(|mail| mail["to"] == json!([ANN])).unwrap();
    let secret = behind(of_ann, "/unsubscribe/").split('?').next().unwrap();
    rest.send_text(Method::POST, &format!("/unsubscribe/{secret}?all=true"), &form, "").await.expect(200);
    let left = "select count(*) from follows where email_normalized <> 'ben@example.com'";
    assert_eq!((shop.number(left).await, shop.number("select count(*) from follows").await), (0, 1));
}

/// A product of the shop that has no offer yet.
async fn product(shop: &Shop) -> String {
    let form = json!({"title": "Brass lamp", "variants": [{"name": "Small", "price": 100, "stock": 50}]});
    id(&shop.host.post("/v1/products", form).await.expect(201))
}

#[tokio::test]
async fn product_is_announced_once_for_each_live_show() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    let form = json!({"title": "Brass lamp", "variants": [{"name": "Small", "price": 100, "stock": 50}]});
    let made = shop.host.post("/v1/products", form).await.expect(201);
    let (product, variant) = (id(&made), id(&made["variants"][0]));
    let followed = follow(&shop, &server, 1, json!({"email": ANN, "product": product, "lang": "ar"})).await;
    assert_eq!(followed["product"]["title"], "Brass lamp");
    let stream = scheduled(&shop, "Evening").await;
    let offer = json!({"variant": variant, "kind": "regular", "price": 100, "quantity": 5});
    let offers = format!("/v1/streams/{stream}/offers");
    let mut made = Vec::new();
    for _ in 0..2 {
        let key = crate::support::shop::key();
        made.push(id(&shop.host.post_keyed(&offers, &key, offer.clone()).await.expect(201)));
    }
    // Before the show nobody can see it.
    shop.host.post(&format!("/v1/offers/{}/open", made[0]), json!({})).await.expect(200);
    assert_eq!(shop.number("select count(*) from announcements").await, 0);
    start(&shop, &stream).await;
    let news = server.until_mails(2).await.pop().unwrap();
    assert_eq!(subject(&news), "معروض الآن: \u{2068}Brass lamp\u{2069}");
    assert!(plain(&news).contains(&stream), "{}", plain(&news));
    // Pinned, put on sale again and as another offer: it is the same show.
    shop.host.put(&format!("/v1/streams/{stream}/pin"), json!({"offer": made[0]})).await.expect(200);
    shop.host.post(&format!("/v1/offers/{}/pause", made[0]), json!({})).await.expect(200);
    shop.host.post(&format!("/v1/offers/{}/open", made[0]), json!({})).await.expect(200);
    shop.host.post(&format!("/v1/offers/{}/open", made[1]), json!({})).await.expect(200);
    until_told(&shop).await;
    assert_eq!(server.mails().len(), 2);
    let other = scheduled(&shop, "Night").await;
    start(&shop, &other).await;
    let again = shop
        .host
        .post_keyed(&format!("/v1/streams/{other}/offers"), &crate::support::shop::key(), offer)
        .await
        .expect(201);
    shop.host.post(&format!("/v1/offers/{}/open", id(&again)), json!({})).await.expect(200);
    server.until_mails(3).await;
}

#[tokio::test]
async fn answer_does_not_tell_whether_an_address_follows_and_a_mailbox_gets_three_mails() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    follow(&shop, &server, 1, json!({"email": ANN})).await;
    let rest = shop.server.rest();
    let known = rest.post("/v1/follows", json!({"email": ANN})).await;
    let unknown = rest.post("/v1/follows", json!({"email": "eve@example.com"})).await;
    assert_eq!((known.status, known.body), (unknown.status, unknown.body));
    server.until_mails(3).await;
    rest.post("/v1/follows", json!({"email": "A.N.N+x@example.com"})).await.expect(202);
    rest.post("/v1/follows", json!({"email": "ann+x@example.com"})).await.expect(202);
    for (spelled, status) in [("ann@example.com", 429), ("ann+y@example.com", 429), ("eve@example.com", 202)] {
        assert_eq!(rest.post("/v1/follows", json!({"email": spelled})).await.status, status, "{spelled}");
    }
    shop.change("update follow_requests set created_at = created_at - 3600000").await;
    rest.post("/v1/follows", json!({"email": ANN})).await.expect(202);
    rest.post("/v1/follows", json!({"email": "no address"})).await.expect_problem(400, "bad_request");
    rest.post("/v1/follows", json!({})).await.expect_problem(400, "bad_request");
    let nothing = json!({"email": ANN, "product": uuid::Uuid::now_v7()});
    rest.post("/v1/follows", nothing).await.expect_problem(404, "no_such_product");
}

/// Each request may be for another mailbox, so the address of the client has limits too.
#[tokio::test]
async fn one_client_asks_for_twenty_mails_and_tries_sixty_links_at_once() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    let rest = shop.server.rest();
    let (mut asked, mut tried) = (0, 0);
    let refused = loop {
        let answer = rest.post("/v1/follows", json!({"email": format!("reader-{asked}@example.com")})).await;
        if answer.status != 202 || asked == 30 {
            break answer;
        }
        asked += 1;
    };
    refused.expect_problem(429, "too_many_requests");
    assert!(asked >= 20, "{asked}");
    assert_eq!(shop.number("select count(*) from follow_requests").await, asked);
    let refused = loop {
        let answer = rest.post("/v1/follows/confirm", json!({"secret": "A".repeat(43)})).await;
        if answer.status != 404 || tried == 1_000 {
            break answer;
        }
        tried += 1;
    };
    refused.expect_problem(429, "too_many_requests");
    assert!(tried >= 60, "{tried}");
}

#[tokio::test]
async fn link_of_a_confirmation_ends_after_two_days() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    let rest = shop.server.rest();
    rest.post("/v1/follows", json!({"email": ANN})).await.expect(202);
    let asked = server.until_mails(1).await.remove(0);
    let confirm = json!({"secret": behind(&asked, "#confirm=")});
    let hours = "select (max(expires_at) - max(created_at)) / 3600000 from follow_requests";
    assert_eq!(shop.number(hours).await, 48);
    shop.change("update follow_requests set expires_at = expires_at - 172800000").await;
    rest.post("/v1/follows/confirm", confirm).await.expect_problem(404, "follow_link_invalid");
    assert_eq!(shop.number("select count(*) from follows").await, 0);
}

/// Signs in with the code that arrives as the `n`-th mail.
async fn sign_in(page: &CookiePage, server: &MailServer, n: usize, email: &str) {
    let asked = page.post("/v1/session/email", json!({"email": email})).await.expect(202);
    let mail = server.until_mails(n).await.pop().unwrap();
    let code = plain(&mail).lines().find(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit())).unwrap();
    let form = json!({"id": asked["id"], "code": code, "name": "Ann"});
    page.post("/v1/session/email/verify", form).await.expect(201);
}

#[tokio::test]
async fn account_with_a_proven_address_follows_at_once_and_its_erasure_ends_it() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    let product = product(&shop).await;
    // What the mailbox followed before it had an account belongs to it.
    follow(&shop, &server, 1, json!({"email": ANN, "product": product})).await;
    let page = CookiePage::at(&shop.server.url, BASE);
    sign_in(&page, &server, 2, ANN).await;
    let made = page.post("/v1/follows", json!({"lang": "id"})).await.expect(202);
    assert_eq!((&made["follow"]["email"], &made["follow"]["product"]), (&json!(ANN), &Value::Null));
    let list = page.get("/v1/follows").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
    assert_eq!(server.mails().len(), 2, "the address is proven: no mail asks");
    // Another address than its own is asked.
    let other = page.post("/v1/follows", json!({"email": "ben@example.com"})).await.expect(202);
    assert_eq!(other, json!({"follow": null}));
    server.until_mails(3).await;
    let eve = CookiePage::at(&shop.server.url, BASE);
    eve.post("/v1/session/guest", json!({"name": "Eve"})).await.expect(201);
    assert_eq!(eve.get("/v1/follows").await.expect(200)["items"], json!([]));
    let shop_follow = id(&made["follow"]);
    let ben = CookiePage::at(&shop.server.url, BASE);
    sign_in(&ben, &server, 4, "ben@example.com").await;
    for other in [eve, ben] {
        other.delete(&format!("/v1/follows/{shop_follow}")).await.expect(204);
        assert_eq!(shop.number("select count(*) from follows").await, 2, "nobody ends what is not theirs");
    }
    page.delete(&format!("/v1/follows/{shop_follow}")).await.expect(204);
    assert_eq!(page.get("/v1/follows").await.expect(200)["items"][0]["product"]["id"], json!(product));
    page.delete("/v1/me").await.expect(200);
    let left = "select (select count(*) from follows) + (select count(*) from follow_requests
        where email_normalized = 'ann@example.com')";
    assert_eq!(shop.number(left).await, 0);
}

#[tokio::test]
async fn news_that_nobody_wants_any_more_is_not_sent() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    follow(&shop, &server, 1, json!({"email": ANN})).await;
    follow(&shop, &server, 2, json!({"email": "ben@example.com"})).await;
    server.set(MailMode::Busy);
    let (first, second) = (scheduled(&shop, "First").await, scheduled(&shop, "Second").await);
    start(&shop, &first).await;
    until_status(&shop, "retried", 2).await;
    // The show is over before the mail server takes mails again.
    shop.host.post(&format!("/v1/streams/{first}/end"), json!({})).await.expect(200);
    server.set(MailMode::Accept);
    pass_the_pause(&shop).await;
    until_told(&shop).await;
    assert_eq!(server.mails().len(), 2, "no follower is notified of a show that is over");
    server.set(MailMode::Busy);
    start(&shop, &second).await;
    until_status(&shop, "retried", 2).await;
    shop.change("delete from follows where email = 'ann@example.com'").await;
    server.set(MailMode::Accept);
    pass_the_pause(&shop).await;
    let mails = server.until_mails(3).await;
    until_told(&shop).await;
    assert_eq!((server.mails().len(), &mails[2]["to"]), (3, &json!(["ben@example.com"])), "who has stopped gets none");
}

#[tokio::test]
async fn shop_without_mail_server_or_without_address_has_no_followers() {
    let quiet = Shop::demo(&["--base-url", BASE]).await;
    quiet.server.rest().post("/v1/follows", json!({"email": ANN})).await.expect_problem(409, "follows_off");
    let server = MailServer::start(MailMode::Accept).await;
    let nowhere = shop_with(&server, &[]).await;
    nowhere.server.rest().post("/v1/follows", json!({"email": ANN})).await.expect_problem(409, "follows_off");
}

#[tokio::test]
async fn many_followers_delay_neither_codes_nor_mails_about_orders() {
    const FOLLOWERS: i64 = 600;
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop(&server).await;
    shop.change(
        "with recursive n(n) as (select 1 union all select n + 1 from n where n < 600)
        insert into follows (id, target, email, email_normalized, language, stop_secret, created_at)
        select randomblob(16), zeroblob(16), 'f' || n || '@example.com', 'f' || n || '@example.com', 'en', 's' || n, 1 from n",
    )
    .await;
    let stream = scheduled(&shop, "Evening").await;
    start(&shop, &stream).await;
    let bulk = "select count(*) from mails where kind = 'show_started'";
    until_some("news", SOON, async || (shop.number(bulk).await > 0).then_some(())).await;
    order_by(&shop, "Ann", home(ANN, "en")).await;
    let waits = "select count(*) from mails where kind = 'order_confirmed' and status <> 'sent'";
    until_some("confirmation", SOON * 2, async || (shop.number(waits).await == 0).then_some(())).await;
    let sent = "select count(*) from mails where kind = 'show_started' and status = 'sent'";
    assert!(shop.number(sent).await < FOLLOWERS, "the order did not wait for all followers");
    until_told(&shop).await;
    assert_eq!(shop.number(sent).await, FOLLOWERS);
    let mut recipients: Vec<String> = server.mails().iter().map(|mail| mail["to"].to_string()).collect();
    recipients.sort();
    let all = recipients.len();
    recipients.dedup();
    assert_eq!((recipients.len(), all as i64), (all, FOLLOWERS + 1), "everybody got one mail");
}
