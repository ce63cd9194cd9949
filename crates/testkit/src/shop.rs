//! A shop for tests: a running server with a live show, its host and its offers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::process::{Process, Server};
use super::rest::Rest;
use super::socket::{JoinOptions, Live};
use super::{SOON, until_some};

/// The key with which `Shop::serve` signs tokens.
pub const KEY: &str = "the-key-with-which-the-tests-sign-tokens";

#[derive(Debug)]
pub struct Shop {
    pub server: Server,
    pub host: Rest,
    pub stream: String,
    key: String,
    /// The URL of the database, for direct queries.
    store: String,
}

/// The address of a node of a shop, without the shop.
#[derive(Debug, Clone)]
pub struct At {
    url: String,
    stream: String,
    key: String,
}

impl At {
    pub async fn live_as(&self, user: &str, join: JoinOptions) -> Live {
        let join = JoinOptions { token: Some(sign(&self.key, user, "viewer", 3_600)), ..join };
        Live::join(&self.url, &self.stream, join)
            .await
            .unwrap_or_else(|closed| panic!("the connection was refused: {closed:?}"))
    }

    pub fn rest(&self, user: &str) -> Rest {
        Rest::new(&self.url).with_token(&sign(&self.key, user, "viewer", 3_600))
    }
}

impl Shop {
    /// Starts the demo on SQLite, with data of its own.
    pub async fn demo(more: &[&str]) -> Shop {
        Shop::demo_in(Arc::new(tempfile::tempdir().expect("a temporary folder")), more).await
    }

    /// Starts the demo in a folder that may already have data.
    pub async fn demo_in(folder: Arc<TempDir>, more: &[&str]) -> Shop {
        let server = Server::demo_in(folder, more).await;
        let key = std::fs::read_to_string(server.data().join("auth-key")).expect("the demo stores its key");
        let store = format!("sqlite:{}", server.data().join("livesouk.db").display());
        let host = server.rest().with_token(&sign(&key, "the-host", "host", 3_600));
        Shop { host, stream: server.stream().to_owned(), key, store, server }
    }

    /// Starts `livesouk serve` on a migrated PostgreSQL, with a live show. The server reaches the database at `via`, which may
    /// be a proxy.
    pub async fn serve(store: &str, via: &str) -> Shop {
        Shop::serve_with(store, via, &[]).await
    }

    /// The same with more arguments.
    pub async fn serve_with(store: &str, via: &str, more: &[&str]) -> Shop {
        migrate(store).await;
        let server = Server::serve(via, KEY, more).await;
        let host = server.rest().with_token(&sign(KEY, "the-host", "host", 3_600));
        let stream = id(&host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
        host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
        Shop { server, host, stream, key: KEY.to_owned(), store: store.to_owned() }
    }

    /// Starts another node of the same shop and show.
    pub async fn at_another_node(&self, more: &[&str]) -> Shop {
        let server = Server::serve(&self.store, &self.key, more).await;
        let host = server.rest().with_token(&sign(&self.key, "the-host", "host", 3_600));
        Shop { server, host, stream: self.stream.clone(), key: self.key.clone(), store: self.store.clone() }
    }

    /// The address of this node, for tasks that outlive a borrow of the shop.
    pub fn at(&self) -> At {
        At { url: self.server.url.clone(), stream: self.stream.clone(), key: self.key.clone() }
    }

    /// Joins as this viewer, with the session and the position of `join`.
    pub async fn live_as(&self, user: &str, join: JoinOptions) -> Live {
        self.at().live_as(user, join).await
    }

    /// A valid token; the name of the user is also the id.
    pub fn token(&self, user: &str, role: &str) -> String {
        sign(&self.key, user, role, 3_600)
    }

    /// A REST client as this user.
    pub fn rest(&self, user: &str, role: &str) -> Rest {
        self.server.rest().with_token(&self.token(user, role))
    }

    /// Joins as this user.
    pub async fn live(&self, user: &str, role: &str) -> Live {
        Live::connect(&self.server.url, &self.stream, Some(&self.token(user, role))).await
    }

    /// Joins as an anonymous user.
    pub async fn watch(&self) -> Live {
        Live::connect(&self.server.url, &self.stream, None).await
    }

    /// Joins with this token; the server may refuse it.
    pub async fn join(&self, token: &str) -> Result<Live, super::socket::Closed> {
        Live::join(
            &self.server.url,
            &self.stream,
            JoinOptions { token: Some(token.to_owned()), ..JoinOptions::default() },
        )
        .await
    }

    /// `/v1/streams/{this}/…`
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/streams/{}/{rest}", self.stream)
    }

    /// Creates a product with one variant that has this many units in stock, and returns the id of the variant.
    pub async fn variant(&self, stock: i64) -> String {
        let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 1_000, "stock": stock}]});
        let made = self.host.post("/v1/products", product).await.expect(201);
        id(&made["variants"][0])
    }

    /// Creates a draft of an offer of this quantity, on a variant with as much stock; `terms` overrides the default terms.
    pub async fn draft(&self, quantity: i64, terms: Value) -> String {
        let variant = self.variant(quantity).await;
        let mut form = json!({"variant": variant, "kind": "regular", "price": 1_000, "quantity": quantity});
        for (name, value) in terms.as_object().expect("the terms are an object") {
            form[name] = value.clone();
        }
        id(&self.host.post(&self.path("offers"), form).await.expect(201))
    }

    /// The same, and opens the offer.
    pub async fn on_sale(&self, quantity: i64, terms: Value) -> String {
        let offer = self.draft(quantity, terms).await;
        self.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
        offer
    }

    pub async fn offer(&self, offer: &str) -> Value {
        self.host.get(&format!("/v1/offers/{offer}")).await.expect(200)
    }

    pub async fn left(&self, offer: &str) -> i64 {
        self.offer(offer).await["left"].as_i64().expect("a count")
    }

    /// The unreserved stock of the variant of this offer.
    pub async fn pool(&self, offer: &str) -> i64 {
        let variant = self.offer(offer).await["variant"].clone();
        let products = self.host.get("/v1/products?limit=100").await.expect(200);
        let all = products["items"].as_array().expect("a list").iter();
        let mut variants = all.flat_map(|product| product["variants"].as_array().expect("a list"));
        let found = variants.find(|known| known["id"] == variant).expect("the variant is in the catalogue");
        found["stock"].as_i64().expect("the host sees the stock")
    }

    /// The number that a query returns, directly from the database: `select count(*) …`.
    pub async fn number(&self, sql: &'static str) -> i64 {
        if self.store.starts_with("sqlite") {
            let mut database = SqliteConnection::connect(&self.store).await.expect("the file opens");
            sqlx::query_scalar(sql).fetch_one(&mut database).await.expect(sql)
        } else {
            let mut database = PgConnection::connect(&self.store).await.expect("the database accepts connections");
            sqlx::query_scalar(sql).fetch_one(&mut database).await.expect(sql)
        }
    }

    /// Runs a statement directly on the database, for what no verb can change.
    pub async fn change(&self, sql: &'static str) {
        if self.store.starts_with("sqlite") {
            let mut database = SqliteConnection::connect(&self.store).await.expect("the file opens");
            sqlx::query(sql).execute(&mut database).await.expect(sql);
        } else {
            let mut database = PgConnection::connect(&self.store).await.expect("the database accepts connections");
            sqlx::query(sql).execute(&mut database).await.expect(sql);
        }
    }

    /// Asserts that the counter of every offer is the sum of its orders, and that no offer is oversold.
    pub async fn assert_audited(&self) {
        assert_eq!(
            self.number("select count(*) from reservation_mismatches").await,
            0,
            "counters differ from reservations"
        );
        assert_eq!(self.number("select count(*) from coupon_mismatches").await, 0, "uses differ from orders");
        let oversold = "select count(*) from offers o where quantity < \
             (select coalesce(sum(qty - returned), 0) from reservations r where r.offer = o.id and status in ('held', 'capturing', 'placed', 'sold'))";
        assert_eq!(self.number(oversold).await, 0, "oversold");
    }

    /// Asserts that the offer has this many units left, and that all counters match the orders.
    pub async fn assert_left(&self, offer: &str, left: i64) {
        assert_eq!(self.left(offer).await, left);
        self.assert_audited().await;
    }

    /// Waits until the offer has this many units left.
    pub async fn until_left(&self, offer: &str, left: i64) {
        let what = format!("{left} left");
        until_some(&what, SOON, async || (self.left(offer).await == left).then_some(())).await;
    }
}

/// A token signed with this key that expires in this many seconds; a negative number gives an expired token.
pub fn sign(key: &str, user: &str, role: &str, seconds: i64) -> String {
    client::token::sign(key, user, role, seconds).expect("the claims are signed")
}

/// A token with these claims, signed with this key.
pub fn sign_claims(key: &str, claims: &Value) -> String {
    client::token::sign_claims(key, claims).expect("the claims are signed")
}

pub async fn migrate(store: &str) {
    let mut process = Process::livesouk(&["migrate", "--store", store], std::path::Path::new("/"));
    assert!(process.end(SOON).await.success(), "migrate: {}", process.stderr());
}

pub fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("no id in {of}")).to_owned()
}

/// The time of this machine, which the servers under test share.
pub fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "compared with what the server says, whatever clock the tests use")]
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A new idempotency key.
pub fn key() -> String {
    format!("key-{:016x}", rand::random::<u64>())
}
