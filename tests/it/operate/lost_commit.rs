//! The link to the database dies between the commit of a host's verb and its reply. The answer does not claim that nothing was
//! done, and a retry with the same key does nothing twice.

use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::proxy::Proxy;
use crate::support::rest::RestResponse;
use crate::support::shop::{Shop, key};
use crate::support::{SOON, until_some};

struct Host {
    shop: Shop,
    way: Proxy,
    database: Database,
}

impl Host {
    async fn open() -> Host {
        let database = Database::migrated().await;
        let way = Proxy::start(database.address()).await;
        let shop = Shop::serve(&database.url(), &database.url_at(way.address())).await;
        Host { shop, way, database }
    }

    /// Sends a request, and cuts the link while its commit waits in the database. The commit ends all the same.
    async fn lose_commit(&self, table: &str, sending: impl Future<Output = RestResponse>) -> RestResponse {
        let mut direct = self.database.connect().await;
        let slow = format!(
            "create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(1.5); return null; end $$;
             create constraint trigger wait after insert or update on {table} deferrable initially deferred
             for each row execute function wait()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(slow)).execute(&mut direct).await.unwrap();
        let cutting = async {
            until_some("a commit", SOON, async || self.commits().await.then_some(())).await;
            self.way.cut();
            until_some("the end of the commit", SOON, async || (!self.commits().await).then_some(())).await;
            sqlx::raw_sql("drop function wait cascade").execute(&mut direct).await.unwrap();
            self.way.restore();
        };
        let (answer, ()) = tokio::join!(sending, cutting);
        let host = &self.shop.host;
        let ready = async || (host.get("/readyz").await.status == 200).then_some(());
        until_some("a ready node", SOON, ready).await;
        answer
    }

    async fn commits(&self) -> bool {
        let active = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active'
            and upper(query) like 'COMMIT%'";
        self.shop.number(active).await > 0
    }

    /// The first answer is unknown, and the second is that of the request which was carried out.
    async fn is_done_once(&self, table: &str, path: &str, body: Value) -> Value {
        let key = key();
        let lost = self.lose_commit(table, self.shop.host.post_keyed(path, &key, body.clone())).await;
        is_unknown(path, &lost);
        let again = self.shop.host.post_keyed(path, &key, body).await;
        assert!((200..300).contains(&again.status), "{path}: {} {:#}", again.status, again.body);
        again.body
    }

    /// How many entries of this kind the audit log has.
    async fn audited(&self, count: &'static str) -> i64 {
        self.shop.number(count).await
    }
}

fn is_unknown(what: &str, answer: &RestResponse) {
    let found = (answer.status, answer.body["code"].as_str());
    assert_eq!(found, (503, Some("outcome_unknown")), "{what}: {:#}", answer.body);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(!detail.contains("Nothing was done"), "{what}: {detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restock_with_lost_commit_adds_its_units_once() {
    let host = Host::open().await;
    let offer = host.shop.on_sale(10, json!({})).await;
    let variant = host.shop.offer(&offer).await["variant"].as_str().unwrap().to_owned();
    let more = json!({"add": 100});
    host.shop.host.post_keyed(&format!("/v1/variants/{variant}/restock"), &key(), more).await.expect(200);
    let pool = host.shop.pool(&offer).await;
    host.is_done_once("offers", &format!("/v1/offers/{offer}/restock"), json!({"add": 7})).await;
    assert_eq!(host.shop.left(&offer).await, 17);
    assert_eq!(host.shop.pool(&offer).await, pool - 7);
    assert_eq!(host.audited("select count(*) from audit_log where kind = 'restock' and detail = '7'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restock_of_a_variant_with_lost_commit_adds_its_units_once() {
    let host = Host::open().await;
    let variant = host.shop.variant(10).await;
    let view = host.is_done_once("variants", &format!("/v1/variants/{variant}/restock"), json!({"add": 7})).await;
    assert_eq!(view["stock"], 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offer_with_lost_commit_is_created_once() {
    let host = Host::open().await;
    let variant = host.shop.variant(100).await;
    let new = json!({"variant": variant, "kind": "regular", "price": 4_900, "quantity": 30});
    host.is_done_once("offers", &host.shop.path("offers"), new).await;
    assert_eq!(host.shop.number("select count(*) from offers").await, 1);
    assert_eq!(host.shop.number("select cast(sum(stock) as bigint) from variants").await, 70);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flash_sale_with_lost_commit_is_extended_once() {
    let host = Host::open().await;
    let terms = json!({"kind": "flash", "countdown_s": 10, "duration_s": 600});
    let offer = host.shop.on_sale(10, terms).await;
    let closes_at = host.shop.offer(&offer).await["closes_at"].as_i64().unwrap();
    host.is_done_once("offers", &format!("/v1/offers/{offer}/extend"), json!({"seconds": 60})).await;
    assert_eq!(host.shop.offer(&offer).await["closes_at"], closes_at + 60_000);
    assert_eq!(host.audited("select count(*) from audit_log where kind = 'extend' and detail = '60 s'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verb_without_a_key_never_claims_that_nothing_was_done() {
    let host = Host::open().await;
    let draft = host.shop.draft(10, json!({})).await;
    let rest = &host.shop.host;
    let offer = |verb: &str| format!("/v1/offers/{draft}/{verb}");
    for (verb, status) in [("open", "open"), ("pause", "paused"), ("open", "open"), ("close", "closed")] {
        let lost = host.lose_commit("offers", rest.post(&offer(verb), json!({}))).await;
        is_unknown(verb, &lost);
        assert_eq!(host.shop.offer(&draft).await["status"], status, "{verb} was done");
        // The same request again does no harm.
        rest.post(&offer(verb), json!({})).await.expect(200);
        assert_eq!(host.shop.offer(&draft).await["status"], status, "{verb}");
    }
    let pinned = host.shop.on_sale(10, json!({})).await;
    let pin = host.shop.path("pin");
    is_unknown("pin", &host.lose_commit("streams", rest.put(&pin, json!({ "offer": pinned }))).await);
    rest.put(&pin, json!({ "offer": pinned })).await.expect(200);
    is_unknown("unpin", &host.lose_commit("streams", rest.delete(&pin)).await);
    // A verb of moderation: the kind of request does not matter.
    let ban = host.shop.path("bans/mallory");
    is_unknown("ban", &host.lose_commit("sanctions", rest.put(&ban, json!({}))).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn product_with_lost_commit_is_created_once() {
    let host = Host::open().await;
    let products = host.shop.number("select count(*) from products").await;
    let new = json!({"title": "Lamp", "variants": [{"name": "One size", "price": 4_900, "stock": 5}]});
    host.is_done_once("products", "/v1/products", new).await;
    assert_eq!(host.shop.number("select count(*) from products").await, products + 1);
}
