//! Bad input gets a clear error over REST and on the socket, and does no damage.

mod frame;
mod order;
mod payment;
mod problem;
mod request;
mod role;
mod token;
mod websocket;

use serde_json::json;

use crate::support::shop::{Shop, key};

/// Asserts that the bad input changed nothing: all units are left, there is no order, and a valid purchase still works.
async fn assert_unharmed(shop: &Shop, offer: &str, units: i64) {
    shop.assert_left(offer, units).await;
    assert_eq!(shop.number("select count(*) from reservations").await, 0);
    let mut live = shop.live("an-honest-buyer", "viewer").await;
    let buy = json!({"do": "buy", "offer": offer, "qty": 1, "key": key()});
    assert_eq!(live.ask(buy).await.unwrap()["order"]["place"], 1);
    shop.assert_left(offer, units - 1).await;
}
