//! Orders and sales from start to end, as buyers and viewers see them.

mod address;
mod billing;
mod catalogue;
mod coupon;
mod customer;
mod desk;
mod host_key;
mod large_shop;
mod lineup;
mod market;
mod media_access;
mod order;
mod payment;
mod payments_off;
mod placed_order;
mod product_page;
mod quote;
mod refund;
mod rehearsal;
mod replay;
mod report;
mod sale;
mod show_change;
mod stock_alert;
mod team;

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::shop::{id, key};
use crate::support::socket::Live;

fn buy(offer: &str, qty: i64) -> Value {
    json!({"do": "buy", "offer": offer, "qty": qty, "key": key()})
}

fn pay(order: &str, token: &str, key: &str) -> Value {
    json!({"do": "pay", "order": order, "token": token, "key": key})
}

/// Reserves units and returns the order.
async fn hold(live: &mut Live, offer: &str, qty: i64) -> Value {
    let held = live.ask(buy(offer, qty)).await.unwrap();
    assert_eq!((&held["order"]["status"], &held["replayed"]), (&json!("held"), &json!(false)));
    held["order"].clone()
}

/// Waits for the frame that gives this order this status.
async fn order_frame(live: &mut Live, order: &Value, status: &str) -> Value {
    let what = format!("order frame `{status}`");
    let frame = live
        .until(&what, SOON, |frame| {
            frame["t"] == "order" && id(&frame["order"]) == id(order) && frame["order"]["status"] == status
        })
        .await;
    frame["order"].clone()
}
