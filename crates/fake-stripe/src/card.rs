//! The test cards: what happens to a payment with each of them.

use serde_json::{Value, json};

/// What a card does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    Succeeds,
    /// 3-D Secure, and then success.
    Authenticates,
    /// 3-D Secure, and then refused with this decline code.
    AuthenticatesThenDeclines(&'static str),
    Declines(&'static str),
    /// The method answers later; it is authorised after [`PROCESSING_S`].
    Processes,
    /// It is authorised, and the capture is refused.
    CaptureFails,
    /// A refund succeeds and fails two days later.
    RefundFails,
    /// A refund is pending and fails two days later.
    PendingRefundFails,
    /// A refund is pending for a day.
    RefundPends,
    /// The buyer disputes the charge when it is captured.
    Disputes,
}

/// How long an asynchronous method processes, in seconds of the fake clock.
pub const PROCESSING_S: i64 = 60;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Card {
    /// The id of the payment method.
    pub method: &'static str,
    pub number: &'static str,
    pub behaviour: Behaviour,
    /// Cards of different owners behave alike and have different fingerprints.
    pub owner: u32,
}

impl Card {
    pub fn fingerprint(&self) -> String {
        format!("fp{}x{}", self.number, self.owner)
    }

    fn brand(&self) -> &'static str {
        if self.number.starts_with('5') { "mastercard" } else { "visa" }
    }

    /// What the API says of it.
    pub fn view(&self) -> Value {
        json!({
            "brand": self.brand(),
            "country": "US",
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": self.fingerprint(),
            "funding": "credit",
            "last4": &self.number[12..],
        })
    }
}

const fn card(method: &'static str, number: &'static str, behaviour: Behaviour) -> Card {
    Card { method, number, behaviour, owner: 0 }
}

/// The names and numbers are those of docs.stripe.com/testing. The names that begin with `pm_fake_` are ours, for behaviour that no
/// test card of the original has.
pub const CARDS: [Card; 19] = [
    card("pm_card_visa", "4242424242424242", Behaviour::Succeeds),
    card("pm_card_mastercard", "5555555555554444", Behaviour::Succeeds),
    card("pm_card_chargeDeclined", "4000000000000002", Behaviour::Declines("generic_decline")),
    card("pm_card_visa_chargeDeclined", "4000000000000002", Behaviour::Declines("generic_decline")),
    card("pm_card_chargeDeclinedInsufficientFunds", "4000000000009995", Behaviour::Declines("insufficient_funds")),
    card("pm_card_threeDSecure2Required", "4000000000003220", Behaviour::Authenticates),
    card("pm_card_authenticationRequiredOnSetup", "4000002500003155", Behaviour::Authenticates),
    card("pm_card_authenticationRequired", "4000002760003184", Behaviour::Authenticates),
    card(
        "pm_fake_authenticatedThenDeclined",
        "4000008400001629",
        Behaviour::AuthenticatesThenDeclines("generic_decline"),
    ),
    card(
        "pm_fake_authenticatedNoFunds",
        "4000008260003178",
        Behaviour::AuthenticatesThenDeclines("insufficient_funds"),
    ),
    card("pm_card_refundFail", "4000000000005126", Behaviour::RefundFails),
    card("pm_card_pendingRefund", "4000000000007726", Behaviour::RefundPends),
    card("pm_card_createDispute", "4000000000000259", Behaviour::Disputes),
    card("pm_fake_processing", "4000000000009912", Behaviour::Processes),
    card("pm_fake_captureFails", "4000000000009920", Behaviour::CaptureFails),
    card("pm_fake_pendingRefundFails", "4000000000009938", Behaviour::PendingRefundFails),
    card("pm_card_createDisputeInquiry", "4000000000001976", Behaviour::Disputes),
    card("pm_card_bypassPending", "4000000000000077", Behaviour::Succeeds),
    card("tok_visa", "4242424242424242", Behaviour::Succeeds),
];

/// Finds a card by the id of its payment method or by its number.
pub fn find(name: &str) -> Option<Card> {
    CARDS.into_iter().find(|card| card.method == name || card.number == name)
}
