//! Orders. A hold is an order with the status `held`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Millis, Minor, OfferId, OrderId, Refusal, StreamId, UserId};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    Held,
    Capturing,
    Paid,
    Expired,
    Cancelled,
    Refunded,
}

impl OrderStatus {
    pub const ALL: [OrderStatus; 6] = {
        use OrderStatus::*;
        [Held, Capturing, Paid, Expired, Cancelled, Refunded]
    };

    pub fn name(self) -> &'static str {
        match self {
            OrderStatus::Held => "held",
            OrderStatus::Capturing => "capturing",
            OrderStatus::Paid => "paid",
            OrderStatus::Expired => "expired",
            OrderStatus::Cancelled => "cancelled",
            OrderStatus::Refunded => "refunded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }

    /// Does the order reserve units? Reserved units count against the stock and the limit per buyer.
    pub fn reserves_units(self) -> bool {
        matches!(self, OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Paid)
    }

    /// Refuses when the order cannot be paid. A hold that has ended but is not released yet can still be paid: the order belongs to
    /// the buyer until the background job releases it.
    pub fn check_payable(self) -> Result<(), Refusal> {
        match self {
            OrderStatus::Held => Ok(()),
            OrderStatus::Capturing => Err(Refusal::Busy { retry_ms: 1_000 }),
            OrderStatus::Paid | OrderStatus::Refunded => Err(Refusal::AlreadyPaid),
            OrderStatus::Expired => Err(Refusal::HoldExpired),
            OrderStatus::Cancelled => Err(Refusal::WrongStatus("The order was cancelled.")),
        }
    }

    /// Refuses when the delivery address can no longer change.
    pub fn check_address_change(self) -> Result<(), Refusal> {
        if self.reserves_units() {
            Ok(())
        } else {
            Err(Refusal::WrongStatus("This order will not be delivered, so it takes no address."))
        }
    }

    /// Refuses when the order cannot be refunded.
    pub fn check_refundable(self) -> Result<(), Refusal> {
        match self {
            OrderStatus::Paid => Ok(()),
            OrderStatus::Refunded => Err(Refusal::AlreadyRefunded),
            _ => Err(Refusal::NotPaid),
        }
    }

    /// Was money captured for the order, even if it was refunded later?
    pub fn is_or_was_paid(self) -> bool {
        matches!(self, OrderStatus::Paid | OrderStatus::Refunded)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    pub id: OrderId,
    pub stream: StreamId,
    pub offer: OfferId,
    pub buyer: UserId,
    pub buyer_name: String,
    pub status: OrderStatus,
    pub qty: i64,
    pub amount: Minor,
    pub currency: String,
    /// The buyer's number in the offer ("you are number 137"): counts from 1 without gaps.
    pub place: i64,
    pub created_at: Millis,
    pub hold_until: Millis,
    pub paid_at: Option<Millis>,
    /// Why the order ended: `hold_ended`, `buyer_cancel`, `capture_failed`, `refunded`.
    pub reason: Option<String>,
    pub version: i64,
}

impl Order {
    /// Refuses when the order cannot be paid.
    pub fn check_payable(&self) -> Result<(), Refusal> {
        self.status.check_payable()
    }
}

/// An idempotency key: 8–255 visible ASCII characters. Quotes around it are stripped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim_matches([' ', '\t']);
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        if bare.is_empty() {
            return Err(Refusal::KeyMissing);
        }
        if (8..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(bare.to_owned()))
        } else {
            Err(Refusal::KeyInvalid)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 hash of the request that an idempotency key was used for. The same key with another body is a client's mistake.
pub type RequestHash = [u8; 32];

/// Hashes the parts of a request. The length of each part is hashed too, so that the parts cannot run together.
pub fn request_hash(parts: &[&str]) -> RequestHash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// Checks the units of one purchase request: 1 to 1,000.
pub fn validate_qty(given: i64) -> Result<i64, Refusal> {
    super::product::in_range(given, super::limits::QTY, "qty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_8_to_255_visible_characters() {
        for (text, expected) in [
            ("", Err(Refusal::KeyMissing)),
            ("\"\"", Err(Refusal::KeyMissing)),
            ("1234567", Err(Refusal::KeyInvalid)),
            ("12345678", Ok("12345678")),
            ("\"12345678\"", Ok("12345678")),
            ("has space", Err(Refusal::KeyInvalid)),
            ("naïvekeys", Err(Refusal::KeyInvalid)),
            ("nul\0bytes", Err(Refusal::KeyInvalid)),
        ] {
            assert_eq!(IdempotencyKey::parse(text), expected.map(|k: &str| IdempotencyKey(k.into())), "{text:?}");
        }
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
        assert!(IdempotencyKey::parse(&"k".repeat(256)).is_err());
    }

    #[test]
    fn parts_of_a_hash_do_not_run_together() {
        assert_ne!(request_hash(&["ab", "c"]), request_hash(&["a", "bc"]));
    }
}
