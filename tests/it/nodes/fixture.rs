//! Two nodes of one shop, and what is between them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::shop::Shop;
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

pub struct Town {
    pub one: Shop,
    pub two: Shop,
    pub redis: Redis,
    // Dropped last: the nodes hold connections to it.
    _database: Database,
}

impl Town {
    pub async fn open() -> Town {
        Town::with(&[]).await
    }

    /// With more arguments for both nodes.
    pub async fn with(more: &[&str]) -> Town {
        let (database, redis) = tokio::join!(Database::create(), Redis::start());
        let ways = [redis.url(), redis.url()];
        Town::built(database, redis, ways, more).await
    }

    /// Each node reaches Redis through a bad network of its own.
    pub async fn apart() -> (Town, [Proxy; 2]) {
        let (database, redis) = tokio::join!(Database::create(), Redis::start());
        let proxies = [Proxy::start(redis.address()).await, Proxy::start(redis.address()).await];
        let ways = [0, 1].map(|node: usize| format!("redis://{}", proxies[node].address()));
        (Town::built(database, redis, ways, &[]).await, proxies)
    }

    async fn built(database: Database, redis: Redis, ways: [String; 2], more: &[&str]) -> Town {
        let args = |way| {
            let mut args = vec!["--broker", way, "--chat-per-second", "0", "--room-chat-per-second", "0"];
            args.extend(more);
            if !more.contains(&"--grace-seconds") {
                args.extend(["--grace-seconds", "0.5"]);
            }
            args
        };
        let one = Shop::serve_with(&database.url(), &database.url(), &args(&ways[0])).await;
        let two = one.at_another_node(&args(&ways[1])).await;
        Town { one, two, redis, _database: database }
    }

    pub fn nodes(&self) -> [&Shop; 2] {
        [&self.one, &self.two]
    }

    /// Waits until both nodes hear the bus, or neither does.
    pub async fn until_heard(&self, heard: bool) {
        let word = if heard { "ok" } else { "away" };
        for shop in self.nodes() {
            until_broker(shop, word).await;
        }
    }
}

/// Waits until a node says this of its broker: `ok` or `away`.
pub async fn until_broker(shop: &Shop, word: &str) {
    let changed = async || (shop.server.rest().get("/readyz").await.body["broker"] == word).then_some(());
    until_some(&format!("broker that is {word}"), SOON, changed).await;
}

pub fn say(text: &str) -> Value {
    json!({"do": "say", "text": text})
}

/// Waits for a chat line, in whatever kind of frame it comes.
pub async fn hears(live: &mut Live, text: &str) -> Value {
    hears_within(live, text, SOON).await
}

pub async fn hears_within(live: &mut Live, text: &str, deadline: Duration) -> Value {
    live.event(text, deadline, |event| event["type"] == "chat" && event["text"] == text).await
}

/// The events up to a chat line, in the order in which they came.
pub async fn events_until(live: &mut Live, text: &str) -> Vec<Value> {
    let mut events = Vec::new();
    while !events.iter().any(|event: &Value| event["text"] == text) {
        let frame = live.until("events", SOON, |frame| frame["events"].is_array()).await;
        events.extend(frame["events"].as_array().expect("asked for").clone());
    }
    events
}
