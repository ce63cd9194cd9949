//! Attacks by the team: members who were banned or revoked, who act above their rank, or who sell to themselves.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::rest::Rest;
use testkit::shop::{KEY, id, key, sign};
use testkit::socket::{JoinOptions, Live};

use crate::shop::AttackedShop;
use crate::{Attack, Outcome, attack, withstood};

pub const ATTACKS: &[Attack] = &[
    attack!("roles: a banned producer reads addresses, drafts and stock", banned_producer_reads),
    attack!("roles: a banned moderator reads deleted messages", banned_moderator_reads),
    attack!("roles: a banned helper comes back by the same link", banned_helper_comes_back),
    attack!("roles: a revoked helper goes on in another show", revoked_helper_goes_on),
    attack!("roles: a moderator bans and mutes those above", moderator_bans_upwards),
    attack!("roles: a moderator lifts what the host imposed", moderator_lifts_the_ban_of_the_host),
    attack!("roles: a producer sells at the price 0 and buys it all", producer_sells_to_themselves),
    attack!("roles: a helper acts outside of the show", helper_acts_elsewhere),
];

/// How long a revocation may take to reach a connection. The promise is two seconds.
const REVOCATION_DEADLINE: Duration = Duration::from_secs(5);

impl AttackedShop {
    fn path(&self, rest: &str) -> String {
        format!("/v1/streams/{}/{rest}", self.stream)
    }

    async fn ban(&self, user: &str) {
        self.host.put(&self.path(&format!("bans/{user}")), json!({})).await.expect(200);
    }

    /// Creates an invite, and returns its id and code.
    async fn invite(&self, form: Value) -> (String, String) {
        let made = self.host.post(&self.path("invites"), form).await.expect(201);
        (id(&made["invite"]), made["code"].as_str().unwrap().to_owned())
    }

    /// Accepts an invite, and returns the id and the token of the helper.
    async fn accept(&self, code: &str) -> Result<(String, String), u16> {
        let answer = self.server.rest().post(&format!("/v1/invites/{code}"), json!({"name": "Hal"})).await;
        let text = |name: &str| answer.body[name].as_str().map(str::to_owned);
        text("user").zip(text("token")).ok_or(answer.status)
    }
}

async fn banned_producer_reads() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let offer = shop.offer(4_900, 5, 60).await;
    let products = shop.host.get("/v1/products").await.expect(200);
    let variant = id(&products["items"][0]["variants"][0]);
    shop.host.post(&format!("/v1/variants/{variant}/restock"), json!({"add": 5})).await.expect(200);
    let form = json!({"variant": variant, "kind": "regular", "price": 100, "quantity": 1});
    let draft = id(&shop.host.post(&shop.path("offers"), form).await.expect(201));
    let ann = shop.rest("ann", "viewer");
    let order = id(&ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201));
    let home = json!({"name": "Ann", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA"});
    let address = format!("/v1/orders/{order}/address");
    ann.put(&address, home).await.expect(200);

    let spy = shop.rest("spy", "producer");
    spy.get(&address).await.expect(200);
    shop.ban("spy").await;
    let read = spy.get(&address).await;
    withstood(!read.is_success(), || format!("the address of a buyer: {}", read.body))?;
    for path in [format!("/v1/offers/{draft}"), shop.path("offers")] {
        let read = spy.get(&path).await.body.to_string();
        withstood(!read.contains(&draft), || format!("a draft in {path}: {read}"))?;
    }
    let read = spy.get("/v1/products").await.body.to_string();
    withstood(!read.contains("\"stock\""), || format!("the stock: {read}"))?;
    for path in [shop.path("report"), shop.path("export/chat.csv"), "/metrics".to_owned()] {
        let read = spy.get(&path).await;
        withstood(!read.is_success(), || format!("{path} is answered"))?;
    }
    Ok("no address, draft, stock, report or metric".to_owned())
}

async fn banned_moderator_reads() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let said = shop.rest("ann", "viewer").post(&shop.path("messages"), json!({"text": "my phone is 0555"})).await;
    shop.host.delete(&shop.path(&format!("messages/{}", id(&said.expect(201))))).await.expect(204);
    let spy = shop.rest("spy", "moderator");
    let sees = async || spy.get(&shop.path("messages")).await.body.to_string().contains("0555");
    withstood(sees().await, || "the attack is wrong: a moderator sees deleted messages".to_owned())?;
    shop.ban("spy").await;
    withstood(!sees().await, || "the deleted message is listed".to_owned())?;
    for path in ["review-queue", "audit-log", "export/chat.jsonl", "mutes", "blocklist"] {
        let read = spy.get(&shop.path(path)).await;
        let is_empty = read.body["items"].as_array().is_some_and(Vec::is_empty);
        withstood(!read.is_success() || is_empty, || format!("{path}: {}", read.body))?;
    }
    Ok("the deleted message stays hidden in six places".to_owned())
}

async fn banned_helper_comes_back() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    for uses in [None, Some(20)] {
        let (_, code) = shop.invite(json!({"role": "moderator", "uses": uses})).await;
        let (user, _) = shop.accept(&code).await.map_err(|status| format!("the link does not work: {status}"))?;
        shop.ban(&user).await;
        for _ in 0..3 {
            let again = shop.accept(&code).await;
            withstood(again.is_err(), || format!("back as {:?} by a link with {uses:?} uses", again.ok()))?;
        }
    }
    Ok("both links admit nobody else".to_owned())
}

async fn revoked_helper_goes_on() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let other = id(&shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    let (invite, code) = shop.invite(json!({"role": "producer"})).await;
    let (_, token) = shop.accept(&code).await.map_err(|status| format!("the link does not work: {status}"))?;
    let join = JoinOptions { token: Some(token.clone()), ..JoinOptions::default() };
    let mut live = Live::join(&shop.server.url, &other, join.clone()).await.unwrap();
    shop.host.delete(&shop.path(&format!("invites/{invite}"))).await.expect(204);
    let closed = live.closed(REVOCATION_DEADLINE).await;
    withstood(closed.code == 4501, || format!("closed with {}", closed.code))?;
    let again = Live::join(&shop.server.url, &other, join).await;
    withstood(again.is_err(), || "the revoked token joins again".to_owned())?;
    let read = shop.server.rest().with_token(&token).get("/v1/orders").await;
    withstood(read.status == 401, || format!("the revoked token reads: {}", read.body))?;
    Ok("connection, joins and requests are refused everywhere".to_owned())
}

async fn moderator_bans_upwards() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let mo = shop.rest("mo", "moderator");
    // Two are known to the server by their connections, two are not.
    let mut connected = Vec::new();
    for (user, role) in [("paul", "producer"), ("hana", "host")] {
        let join = JoinOptions { token: Some(sign(KEY, user, role, 3_600)), ..JoinOptions::default() };
        connected.push(Live::join(&shop.server.url, &shop.stream, join).await.unwrap());
    }
    for (user, role) in [("paul", "producer"), ("hana", "host"), ("pia", "producer"), ("hugo", "host")] {
        for (verb, body) in [("bans", json!({})), ("mutes", json!({"seconds": 600}))] {
            mo.put(&shop.path(&format!("{verb}/{user}")), body).await;
        }
        let target = shop.rest(user, role);
        let report = target.get(&shop.path("report")).await;
        withstood(report.is_success(), || format!("{user} lost the show: {}", report.body))?;
        let said = target.post(&shop.path("messages"), json!({"text": format!("{user} is here")})).await;
        withstood(said.is_success(), || format!("{user} is silent: {}", said.body))?;
    }
    for live in &mut connected {
        let alive = live.ask(json!({"do": "react", "kind": "heart", "count": 1})).await;
        withstood(alive.is_ok(), || format!("a connection was lost: {alive:?}"))?;
    }
    Ok("two producers and two hosts keep their show".to_owned())
}

async fn moderator_lifts_the_ban_of_the_host() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let (mo, pal) = (shop.rest("mo", "moderator"), shop.rest("pal", "moderator"));
    shop.ban("pal").await;
    let path = shop.path("bans/pal");
    let tries: [(&str, Rest); 2] = [("mo", mo), ("pal", pal.clone())];
    for (who, rest) in tries {
        rest.delete(&path).await;
        // A weaker ban in its place, which could be lifted.
        rest.put(&path, json!({})).await;
        rest.delete(&path).await;
        let read = pal.get(&shop.path("audit-log")).await;
        withstood(!read.is_success(), || format!("{who} undid the ban of the host"))?;
    }
    Ok("the ban of the host holds".to_owned())
}

async fn producer_sells_to_themselves() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let gift = shop.offer(0, 5, 60).await;
    let products = shop.host.get("/v1/products").await.expect(200);
    let variant = id(&products["items"][0]["variants"][0]);
    shop.host.post(&format!("/v1/variants/{variant}/restock"), json!({"add": 100})).await.expect(200);
    let paul = shop.rest("paul", "producer");
    let form = |price: i64| json!({"variant": variant, "kind": "regular", "price": price, "quantity": 10});
    let made = paul.post(&shop.path("offers"), form(0)).await;
    withstood(!made.is_success(), || format!("an offer at the price 0: {}", made.body))?;
    let more = paul.post(&format!("/v1/offers/{gift}/restock"), json!({"add": 50})).await;
    withstood(!more.is_success(), || format!("more units at the price 0: {}", more.body))?;
    let cheap = id(&paul.post(&shop.path("offers"), form(1)).await.expect(201));
    paul.post(&format!("/v1/offers/{cheap}/open"), json!({})).await.expect(200);
    for (user, role) in [("paul", "producer"), ("mo", "moderator"), ("nan", "analyst")] {
        for offer in [&cheap, &gift] {
            let bought = shop
                .rest(user, role)
                .post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1}))
                .await;
            withstood(!bought.is_success(), || format!("a {role} bought: {}", bought.body))?;
        }
    }
    Ok("no offer at the price 0, and nobody of the team bought".to_owned())
}

async fn helper_acts_elsewhere() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let other = id(&shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    let (_, code) = shop.invite(json!({"role": "producer"})).await;
    let (_, token) = shop.accept(&code).await.map_err(|status| format!("the link does not work: {status}"))?;
    let helper = shop.server.rest().with_token(&token);
    for path in ["report", "mutes", "audit-log", "export/chat.csv", "blocklist", "invites"] {
        let read = helper.get(&format!("/v1/streams/{other}/{path}")).await;
        withstood(read.status == 403, || format!("{path} of another show: {}", read.body))?;
    }
    let product = json!({"title": "x", "variants": [{"name": "x", "price": 1, "stock": 1}]});
    for (path, body) in [("/v1/products", product), ("/v1/streams", json!({"title": "Mine"}))] {
        let made = helper.post(path, body).await;
        withstood(made.status == 403, || format!("{path}: {}", made.body))?;
    }
    let metrics = helper.get("/metrics").await;
    withstood(metrics.status == 403, || "the metrics of the shop are answered".to_owned())?;
    Ok("a viewer in the other show and in the shop".to_owned())
}
