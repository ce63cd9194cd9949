//! The bodies of requests to Stripe. They are pure functions of the payment: the same attempt always sends the same bytes, because
//! an idempotency key that comes with other bytes is refused.

use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::domain::stripe_amount::to_stripe;
use crate::domain::{Minor, Payment};

/// What a request needs besides the payment.
pub struct Shop<'s> {
    /// Where the bank sends the buyer back: the address to which the id of the order is added.
    pub return_url: &'s str,
}

/// Creates and confirms an intent, and captures nothing. `None`: Stripe cannot charge exactly this amount.
pub fn create(payment: &Payment, shop: &Shop<'_>) -> Option<String> {
    let amount = to_stripe(payment.amount, &payment.currency)?.to_string();
    // A page makes confirmation tokens; payment methods with a name are those of Stripe's own tests.
    let method = if payment.token.starts_with("pm_") { "payment_method" } else { "confirmation_token" };
    let currency = payment.currency.to_ascii_lowercase();
    let mut pairs = vec![
        ("amount", amount.as_str()),
        ("currency", &currency),
        ("capture_method", "manual"),
        ("confirm", "true"),
        (method, &payment.token),
    ];
    if let Some(customer) = payment.card.customer.as_deref() {
        pairs.push(("customer", customer));
        // The buyer is there when the card pays again.
        pairs.extend(payment.card.saves.then_some(("setup_future_usage", "on_session")));
    }
    let return_url = format!("{}{}", shop.return_url, payment.order);
    let (order, attempt) = (payment.order.to_string(), payment.attempt.to_string());
    pairs.extend([
        ("automatic_payment_methods[enabled]", "true"),
        ("return_url", return_url.as_str()),
        ("metadata[order]", &order),
        ("metadata[attempt]", &attempt),
        ("expand[]", "latest_charge"),
    ]);
    Some(form(&pairs))
}

/// Makes a customer, who has no name and no address: the id of our row says who it is, to us only.
pub fn customer(id: Uuid) -> String {
    form(&[("metadata[customer]", &id.to_string())])
}

/// The query that lists the saved cards of a customer. The shop saves fewer than a page has.
pub fn list_cards() -> String {
    form(&[("type", "card"), ("limit", "100")])
}

/// The query that lists the newest intent, with what a key must be able to see of each payment.
pub fn newest_intent() -> String {
    form(&[("limit", "1"), ("expand[]", "data.latest_charge")])
}

/// The query with which a page reads an intent by its publishable key.
pub fn intent_of_page(client_secret: &str) -> String {
    form(&[("client_secret", client_secret)])
}

/// Captures the whole amount, or cancels.
pub fn change() -> String {
    form(&[("expand[]", "latest_charge")])
}

/// The query that reads an intent with what Stripe keeps of it.
pub fn with_fee() -> String {
    form(&[("expand[]", "latest_charge.balance_transaction")])
}

/// The query that lists the disputes of an intent.
pub fn list_disputes(intent: &str) -> String {
    form(&[("limit", "100"), ("payment_intent", intent)])
}

/// Refunds an amount. The key is in the metadata too, so that the refund can be found after Stripe has forgotten the key. `None`:
/// Stripe cannot refund exactly this amount.
pub fn refund(reference: &str, amount: Minor, currency: &str, key: &str) -> Option<String> {
    let amount = to_stripe(amount, currency)?.to_string();
    Some(form(&[("payment_intent", reference), ("amount", &amount), ("metadata[refund]", key)]))
}

/// The query that lists the intents which were created in this time, in seconds; `after` is the last one of the page before.
pub fn list(from: i64, to: i64, after: Option<&str>) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    let mut query = vec![("limit", "100"), ("created[gte]", &from), ("created[lte]", &to)];
    query.push(("expand[]", "data.latest_charge"));
    query.extend(after.map(|id| ("starting_after", id)));
    form(&query)
}

/// The query that lists the refunds of an intent; `after` is the last one of the page before.
pub fn list_refunds(intent: &str, after: Option<&str>) -> String {
    let mut query = vec![("limit", "100"), ("payment_intent", intent)];
    query.extend(after.map(|id| ("starting_after", id)));
    form(&query)
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CardUse, OrderId, OrderStatus, PaymentStatus};

    #[test]
    fn body_is_a_function_of_the_attempt() {
        let payment = Payment {
            order: OrderId(uuid::Uuid::nil()),
            attempt: 2,
            provider: "stripe".into(),
            token: "ctoken_1".into(),
            reference: None,
            status: PaymentStatus::Creating,
            amount: 5_120,
            currency: "KWD".into(),
            created_at: 7,
            called_at: Some(7),
            is_sent_by_queue: false,
            order_status: OrderStatus::Held,
            wins: false,
            has_lost_lines: false,
            owed: None,
            card: CardUse::default(),
        };
        let shop = Shop { return_url: "https://shop.example/live/orders?order=" };
        let body = create(&payment, &shop).unwrap();
        let later = Payment {
            created_at: 9_000,
            reference: Some("pi_1".into()),
            order_status: OrderStatus::Expired,
            has_lost_lines: true,
            ..payment.clone()
        };
        assert_eq!(create(&later, &shop).unwrap(), body, "neither the time nor the state is in it");
        for part in [
            "amount=5120&currency=kwd&capture_method=manual&confirm=true&confirmation_token=ctoken_1",
            "&return_url=https%3A%2F%2Fshop.example%2Flive%2Forders%3Forder%3D00000000-0000-0000-0000-000000000000&",
            "metadata%5Battempt%5D=2",
        ] {
            assert!(body.contains(part), "{body}");
        }
        assert!(!body.contains("customer") && !body.contains("setup_future_usage"), "{body}");
        let with = |saves, customer: Option<&str>, token: &str| {
            let card = CardUse { saves, customer: customer.map(str::to_owned) };
            create(&Payment { card, token: token.to_owned(), ..payment.clone() }, &shop).unwrap()
        };
        assert_eq!(with(true, None, "ctoken_1"), body, "without a customer nothing can be saved");
        let saving = with(true, Some("cus_1"), "ctoken_1");
        assert!(saving.contains("&customer=cus_1&setup_future_usage=on_session&"), "{saving}");
        let saved = with(false, Some("cus_1"), "pm_1");
        assert!(saved.contains("&payment_method=pm_1&customer=cus_1&auto"), "{saved}");
        assert_eq!(create(&Payment { amount: 5_124, ..payment }, &shop), None);
    }
}
