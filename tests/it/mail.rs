//! E-mails: a real mail server takes them, refuses them, delays them, or breaks off.

mod command;
mod content;
mod delivery;
mod follow;
mod withdrawal;

use serde_json::{Value, json};

use crate::support::mail_server::MailServer;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

fn home(email: &str, language: &str) -> Value {
    json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA", "email": email,
        "language": language})
}

/// Starts a demo that sends its mails to this server.
async fn shop_with(server: &MailServer, more: &[&str]) -> Shop {
    let settings = server.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Shop::demo(&settings).await
}

/// Reserves one unit, gives the address, pays, and gives the id of the order.
async fn order_by(shop: &Shop, buyer: &str, address: Value) -> String {
    let offer = shop.on_sale(5, json!({})).await;
    let rest = shop.rest(buyer, "viewer");
    let bought = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 2})).await.expect(201);
    let order = id(&bought);
    rest.put(&format!("/v1/orders/{order}/address"), address).await.expect(200);
    rest.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    order
}

/// Makes every waiting mail due now, as if its pause were over.
async fn pass_the_pause(shop: &Shop) {
    shop.change("update mails set next_try_at = 0 where status = 'queued'").await;
}

/// Waits until so many mails have this status.
async fn until_status(shop: &Shop, status: &'static str, number: i64) {
    let count = match status {
        "sent" => "select count(*) from mails where status = 'sent'",
        "failed" => "select count(*) from mails where status = 'failed'",
        "retried" => "select count(*) from mails where status = 'queued' and attempts > 0",
        _ => "select count(*) from mails where status = 'sending'",
    };
    until_some(status, SOON * 3, async || (shop.number(count).await == number).then_some(())).await;
}
