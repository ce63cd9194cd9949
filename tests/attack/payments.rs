//! Attacks on money: goods without paying for them.

use serde_json::json;
use testkit::shop::{id, key};

use crate::shop::AttackedShop;
use crate::{Attack, Outcome, attack, withstood};

pub const ATTACKS: &[Attack] = &[attack!("payments: the tokens of the test provider buy goods", test_tokens_are_money)];

async fn test_tokens_are_money() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let offer = shop.offer(4_900, 5, 60).await;
    let thief = shop.rest("thief", "viewer");
    let bought = thief.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await;
    let order = id(&bought.expect(201));
    for token in ["ok", "slow", "webhook_twice", "timeout_after_charge"] {
        let paid = thief.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": token})).await;
        withstood(!paid.is_success(), || format!("pay with `{token}` was accepted: {}", paid.body))?;
    }
    let status = thief.get(&format!("/v1/orders/{order}")).await.expect(200)["status"].clone();
    withstood(status == "held", || format!("the order is {status}"))?;
    Ok("four tokens refused, the order is still held".to_owned())
}
