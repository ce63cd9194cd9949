//! A shop to test in: a running server with a live show, its host, and what is on the shelf.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::process::{Process, Server};
use super::rest::Rest;
use super::socket::{JoinOptions, Live};
use super::{SOON, until_some};

/// What `Shop::serve` signs with.
pub const KEY: &str = "the-key-that-the-outside-tests-sign-with";

#[derive(Debug)]
pub struct Shop {
    pub server: Server,
    pub host: Rest,
    pub stream: String,
    key: String,
    /// The database, asked past the server.
    store: String,
}

/// A node of a shop as its visitors know it.
#[derive(Debug, Clone)]
pub struct At {
    url: String,
    stream: String,
    key: String,
}

impl At {
    pub async fn live_as(&self, user: &str, join: JoinOptions) -> Live {
        let join = JoinOptions { token: Some(sign(&self.key, user, "viewer", 3_600)), ..join };
        Live::join(&self.url, &self.stream, join).await.unwrap_or_else(|closed| panic!("not let in: {closed:?}"))
    }

    pub fn rest(&self, user: &str) -> Rest {
        Rest::new(&self.url).with_token(&sign(&self.key, user, "viewer", 3_600))
    }
}

impl Shop {
    /// The demo on SQLite, with data of its own.
    pub async fn demo(more: &[&str]) -> Shop {
        Shop::demo_in(Arc::new(tempfile::tempdir().expect("a temporary folder")), more).await
    }

    /// The demo in a folder that may have data already.
    pub async fn demo_in(folder: Arc<TempDir>, more: &[&str]) -> Shop {
        let server = Server::demo_in(folder, more).await;
        let key = std::fs::read_to_string(server.data().join("auth-key")).expect("the demo keeps its key");
        let store = format!("sqlite:{}", server.data().join("livesouk.db").display());
        let host = server.rest().with_token(&sign(&key, "the-host", "host", 3_600));
        Shop { host, stream: server.stream().to_owned(), key, store, server }
    }

    /// `livesouk serve` on a migrated Postgres, with a show that is live. `via` is the way to the database that the
    /// server takes, which may be a proxy.
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

    /// The same shop and show at another node.
    pub async fn at_another_node(&self, more: &[&str]) -> Shop {
        let server = Server::serve(&self.store, &self.key, more).await;
        let host = server.rest().with_token(&sign(&self.key, "the-host", "host", 3_600));
        Shop { server, host, stream: self.stream.clone(), key: self.key.clone(), store: self.store.clone() }
    }

    /// The way in, for tasks that outlive a borrow of the shop.
    pub fn at(&self) -> At {
        At { url: self.server.url.clone(), stream: self.stream.clone(), key: self.key.clone() }
    }

    /// The socket as somebody, with the session and from the position of `join`.
    pub async fn live_as(&self, user: &str, join: JoinOptions) -> Live {
        self.at().live_as(user, join).await
    }

    /// A good token; the name is the user's id too.
    pub fn token(&self, user: &str, role: &str) -> String {
        sign(&self.key, user, role, 3_600)
    }

    /// REST as somebody.
    pub fn rest(&self, user: &str, role: &str) -> Rest {
        self.server.rest().with_token(&self.token(user, role))
    }

    /// The socket as somebody.
    pub async fn live(&self, user: &str, role: &str) -> Live {
        Live::connect(&self.server.url, &self.stream, Some(&self.token(user, role))).await
    }

    /// The socket as a guest.
    pub async fn watch(&self) -> Live {
        Live::connect(&self.server.url, &self.stream, None).await
    }

    /// Joins as somebody where coming in may be refused.
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

    /// A new product's only variant with so many units in its pool.
    pub async fn variant(&self, stock: i64) -> String {
        let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 1_000, "stock": stock}]});
        let made = self.host.post("/v1/products", product).await.expect(201);
        id(&made["variants"][0])
    }

    /// An offer of this quantity, on a pool of the same size, in draft; `terms` overrides what is usual.
    pub async fn draft(&self, quantity: i64, terms: Value) -> String {
        let variant = self.variant(quantity).await;
        let mut form = json!({"variant": variant, "kind": "regular", "price": 1_000, "quantity": quantity});
        for (name, value) in terms.as_object().expect("terms by name") {
            form[name] = value.clone();
        }
        id(&self.host.post(&self.path("offers"), form).await.expect(201))
    }

    /// The same, opened.
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

    /// Units in the pool of the variant behind this offer.
    pub async fn pool(&self, offer: &str) -> i64 {
        let variant = self.offer(offer).await["variant"].clone();
        let products = self.host.get("/v1/products?limit=100").await.expect(200);
        let all = products["items"].as_array().expect("a list").iter();
        let mut variants = all.flat_map(|product| product["variants"].as_array().expect("a list"));
        let found = variants.find(|known| known["id"] == variant).expect("the variant is in the catalogue");
        found["stock"].as_i64().expect("the host sees the pool")
    }

    /// A number straight from the database: `select count(*) …`.
    pub async fn number(&self, sql: &'static str) -> i64 {
        if self.store.starts_with("sqlite") {
            let mut database = SqliteConnection::connect(&self.store).await.expect("the file opens");
            sqlx::query_scalar(sql).fetch_one(&mut database).await.expect(sql)
        } else {
            let mut database = PgConnection::connect(&self.store).await.expect("the database answers");
            sqlx::query_scalar(sql).fetch_one(&mut database).await.expect(sql)
        }
    }

    /// Every offer's counter is the sum of its orders, and no offer is oversold.
    pub async fn assert_audited(&self) {
        assert_eq!(self.number("select count(*) from reservation_mismatches").await, 0, "counters differ from orders");
        let oversold = "select count(*) from offers o where quantity < \
             (select coalesce(sum(qty), 0) from orders r where r.offer = o.id and status in ('held', 'capturing', 'paid'))";
        assert_eq!(self.number(oversold).await, 0, "oversold");
    }

    /// The offer has so many left, and the books are right.
    pub async fn assert_left(&self, offer: &str, left: i64) {
        assert_eq!(self.left(offer).await, left);
        self.assert_audited().await;
    }

    /// Waits until the offer has so many left.
    pub async fn until_left(&self, offer: &str, left: i64) {
        let what = format!("{left} left");
        until_some(&what, SOON, async || (self.left(offer).await == left).then_some(())).await;
    }
}

/// A token by this key, good for so many seconds from now; below zero it has ended.
pub fn sign(key: &str, user: &str, role: &str, seconds: i64) -> String {
    let now = now_ms() / 1_000;
    let claims = json!({"sub": user, "name": user, "role": role, "iat": now, "exp": now + seconds});
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("it signs")
}

pub async fn migrate(store: &str) {
    let mut process = Process::livesouk(&["migrate", "--store", store], std::path::Path::new("/"));
    assert!(process.end(SOON).await.success(), "migrate: {}", process.stderr());
}

pub fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("no id in {of}")).to_owned()
}

pub fn now_ms() -> i64 {
    livesouk::clock::Clock::system().now()
}

/// An idempotency key nobody used.
pub fn key() -> String {
    format!("key-{:016x}", rand::random::<u64>())
}
