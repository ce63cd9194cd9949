//! Two both of one shop, and the proxies between them and Redis.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::shop::Shop;
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

pub struct Nodes {
    pub one: Shop,
    pub two: Shop,
    pub redis: Redis,
    // Dropped last: the both hold connections to it.
    database: Database,
}

impl Nodes {
    pub async fn open() -> Nodes {
        Nodes::with(&[]).await
    }

    /// With more arguments for both both.
    pub async fn with(more: &[&str]) -> Nodes {
        let (database, redis) = tokio::join!(Database::migrated(), Redis::start());
        let addresses = [redis.url(), redis.url()];
        Nodes::build(database, redis, addresses, more).await
    }

    /// Each node reaches Redis through a proxy of its own.
    pub async fn behind_proxies() -> (Nodes, [Proxy; 2]) {
        let (database, redis) = tokio::join!(Database::migrated(), Redis::start());
        let proxies = [Proxy::start(redis.address()).await, Proxy::start(redis.address()).await];
        let addresses = [0, 1].map(|node: usize| format!("redis://{}", proxies[node].address()));
        (Nodes::build(database, redis, addresses, &[]).await, proxies)
    }

    async fn build(database: Database, redis: Redis, addresses: [String; 2], more: &[&str]) -> Nodes {
        let args = |address| {
            let mut args = vec!["--broker", address, "--chat-per-second", "0", "--room-chat-per-second", "0"];
            args.extend(more);
            if !more.contains(&"--grace-seconds") {
                args.extend(["--grace-seconds", "0.5"]);
            }
            args
        };
        let one = Shop::serve_with(&database.url(), &database.url(), &args(&addresses[0])).await;
        let two = one.at_another_node(&args(&addresses[1])).await;
        Nodes { one, two, redis, database }
    }

    /// The URL of the database that they share.
    pub fn database_url(&self) -> String {
        self.database.url()
    }

    pub fn both(&self) -> [&Shop; 2] {
        [&self.one, &self.two]
    }

    /// Waits until both both are connected to the broker, or neither is.
    pub async fn until_connected(&self, connected: bool) {
        let word = if connected { "ok" } else { "away" };
        for shop in self.both() {
            until_broker(shop, word).await;
        }
    }
}

/// Waits until a node reports this state of its broker: `ok` or `away`.
pub async fn until_broker(shop: &Shop, word: &str) {
    let changed = async || (shop.server.rest().get("/readyz").await.body["broker"] == word).then_some(());
    until_some(&format!("broker that is {word}"), SOON, changed).await;
}

pub fn say(text: &str) -> Value {
    json!({"do": "say", "text": text})
}

/// Waits for a chat message, in any kind of frame.
pub async fn receives(live: &mut Live, text: &str) -> Value {
    receives_within(live, text, SOON).await
}

pub async fn receives_within(live: &mut Live, text: &str, deadline: Duration) -> Value {
    live.event(text, deadline, |event| event["type"] == "chat" && event["text"] == text).await
}

/// The events up to a chat message, in the order in which they arrived.
pub async fn events_until(live: &mut Live, text: &str) -> Vec<Value> {
    let mut events = Vec::new();
    while !events.iter().any(|event: &Value| event["text"] == text) {
        let frame = live.until("events", SOON, |frame| frame["events"].is_array()).await;
        events.extend(frame["events"].as_array().expect("asked for").clone());
    }
    events
}
