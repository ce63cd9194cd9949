//! Every "no" that is no fault, each with a stable code. A refusal is an answer: expected, tested, never logged as an error.

use super::{Millis, OrderId};

#[derive(Clone, PartialEq, Debug)]
pub enum Refusal {
    BadRequest(String),
    /// The same, and which field of the form it is about.
    BadField {
        field: &'static str,
        why: String,
    },
    UnknownVerb(String),
    SignIn,
    TokenInvalid,
    TokenExpired,
    Forbidden,
    NoSuchStream,
    NoSuchOffer,
    NoSuchOrder,
    NoSuchProduct,
    NoSuchMessage,
    /// The link is wrong, over or taken back; which one, its bearer is not told.
    NoSuchInvite,
    NotYours,
    KeyMissing,
    KeyInvalid,
    KeyReused,
    NotOpen {
        opens_at: Option<Millis>,
        now: Millis,
    },
    Closed,
    BuyerLimit {
        per_buyer: i64,
        orders: Vec<OrderId>,
    },
    SoldOut,
    SoldOutForNow,
    TooFewLeft {
        left: i64,
    },
    NotEnoughStock {
        left: i64,
    },
    StreamEnded,
    /// The thing is not in a state for this: "a sale that is closed cannot be opened".
    WrongStatus(&'static str),
    HoldExpired,
    AlreadyPaid,
    Declined,
    CaptureFailed,
    /// The buyer has something to do at the provider, at this address of ours or theirs; the order is still held.
    NeedsAction {
        action_url: String,
    },
    NotPaid,
    AlreadyRefunded,
    /// The provider refused; the order is still paid.
    RefundFailed,
    /// A webhook that is not from the provider, or too old.
    BadSignature,
    Muted {
        until: Millis,
        now: Millis,
    },
    Banned,
    SlowMode {
        retry_ms: i64,
    },
    ChatBudget {
        retry_ms: i64,
    },
    /// Only the team may speak.
    ChatOff,
    /// A muted word stands in it.
    BlockedWord,
    LinksNotAllowed,
    /// Noise: one character over and over, a wall of signs.
    RepeatedCharacters,
    /// The same person said the same a moment ago.
    DuplicateMessage {
        retry_ms: i64,
    },
    /// Too many messages wait for the team.
    ReviewQueueFull {
        retry_ms: i64,
    },
    /// Certainly not done; try again after `retry_ms`.
    Busy {
        retry_ms: i64,
    },
}

impl Refusal {
    pub fn bad_request(why: impl Into<String>) -> Self {
        Refusal::BadRequest(why.into())
    }

    /// `why` goes on from the field's name: "is 10 to 300".
    pub fn bad_field(field: &'static str, why: impl Into<String>) -> Self {
        Refusal::BadField { field, why: why.into() }
    }

    /// The stable word clients act on.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::BadRequest(_) | Refusal::BadField { .. } => "bad_request",
            Refusal::UnknownVerb(_) => "unknown_verb",
            Refusal::SignIn => "sign_in",
            Refusal::TokenInvalid => "token_invalid",
            Refusal::TokenExpired => "token_expired",
            Refusal::Forbidden => "forbidden",
            Refusal::NoSuchStream => "no_such_stream",
            Refusal::NoSuchOffer => "no_such_offer",
            Refusal::NoSuchOrder => "no_such_order",
            Refusal::NoSuchProduct => "no_such_product",
            Refusal::NoSuchMessage => "no_such_message",
            Refusal::NoSuchInvite => "no_such_invite",
            Refusal::NotYours => "not_yours",
            Refusal::KeyMissing => "key_missing",
            Refusal::KeyInvalid => "key_invalid",
            Refusal::KeyReused => "key_reused",
            Refusal::NotOpen { .. } => "not_open",
            Refusal::Closed => "closed",
            Refusal::BuyerLimit { .. } => "buyer_limit",
            Refusal::SoldOut => "sold_out",
            Refusal::SoldOutForNow => "sold_out_for_now",
            Refusal::TooFewLeft { .. } => "too_few_left",
            Refusal::NotEnoughStock { .. } => "not_enough_stock",
            Refusal::StreamEnded => "stream_ended",
            Refusal::WrongStatus(_) => "wrong_status",
            Refusal::HoldExpired => "hold_expired",
            Refusal::AlreadyPaid => "already_paid",
            Refusal::Declined => "declined",
            Refusal::CaptureFailed => "capture_failed",
            Refusal::NeedsAction { .. } => "needs_action",
            Refusal::NotPaid => "not_paid",
            Refusal::AlreadyRefunded => "already_refunded",
            Refusal::RefundFailed => "refund_failed",
            Refusal::BadSignature => "bad_signature",
            Refusal::Muted { .. } => "muted",
            Refusal::Banned => "banned",
            Refusal::SlowMode { .. } => "slow_mode",
            Refusal::ChatBudget { .. } => "chat_budget",
            Refusal::ChatOff => "chat_off",
            Refusal::BlockedWord => "word_refused",
            Refusal::LinksNotAllowed => "link_refused",
            Refusal::RepeatedCharacters => "flood",
            Refusal::DuplicateMessage { .. } => "repeated",
            Refusal::ReviewQueueFull { .. } => "queue_full",
            Refusal::Busy { .. } => "busy",
        }
    }

    /// When trying again may help, in milliseconds from now.
    pub fn retry_ms(&self) -> Option<i64> {
        match self {
            Refusal::Muted { until, now } => Some((until - now).max(0)),
            Refusal::SlowMode { retry_ms }
            | Refusal::ChatBudget { retry_ms }
            | Refusal::DuplicateMessage { retry_ms }
            | Refusal::ReviewQueueFull { retry_ms }
            | Refusal::Busy { retry_ms } => Some(*retry_ms),
            Refusal::NotOpen { opens_at: Some(opens_at), now } => Some((opens_at - now).max(0)),
            _ => None,
        }
    }
}

/// The sentence for a person; pages translate by code.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::BadRequest(why) => write!(f, "{why}"),
            Refusal::BadField { field, why } => write!(f, "{field} {why}"),
            Refusal::UnknownVerb(verb) => write!(f, "there is no verb `{verb}`"),
            Refusal::SignIn => f.write_str("sign in first"),
            Refusal::TokenInvalid => f.write_str("the token is not valid"),
            Refusal::TokenExpired => f.write_str("the token has expired"),
            Refusal::Forbidden => f.write_str("your role does not allow this"),
            Refusal::NoSuchStream => f.write_str("there is no such stream"),
            Refusal::NoSuchOffer => f.write_str("there is no such offer"),
            Refusal::NoSuchOrder => f.write_str("there is no such order"),
            Refusal::NoSuchProduct => f.write_str("there is no such product or variant"),
            Refusal::NoSuchMessage => f.write_str("there is no such message"),
            Refusal::NoSuchInvite => f.write_str("this invite does not hold, or not any more"),
            Refusal::NotYours => f.write_str("there is no such order of yours"),
            Refusal::KeyMissing => f.write_str("an idempotency key is required"),
            Refusal::KeyInvalid => f.write_str("an idempotency key has 8 to 255 visible ASCII characters"),
            Refusal::KeyReused => f.write_str("this idempotency key was used for another request"),
            Refusal::NotOpen { .. } => f.write_str("the sale is not open"),
            Refusal::Closed => f.write_str("the sale is over"),
            Refusal::BuyerLimit { per_buyer, .. } => write!(f, "at most {per_buyer} per buyer"),
            Refusal::SoldOut => f.write_str("sold out"),
            Refusal::SoldOutForNow => f.write_str("all units are held; some may come back"),
            Refusal::TooFewLeft { left } => write!(f, "only {left} left"),
            Refusal::NotEnoughStock { left } => write!(f, "the variant's pool has only {left}"),
            Refusal::StreamEnded => f.write_str("the show is over"),
            Refusal::WrongStatus(why) => f.write_str(why),
            Refusal::HoldExpired => f.write_str("the hold has ended"),
            Refusal::AlreadyPaid => f.write_str("the order is paid already"),
            Refusal::Declined => f.write_str("the payment was declined; the order is still held"),
            Refusal::CaptureFailed => {
                f.write_str("the payment failed; the order was cancelled and nothing was charged")
            }
            Refusal::NeedsAction { .. } => f.write_str("the payment needs an action of yours; the order is still held"),
            Refusal::NotPaid => f.write_str("the order is not paid"),
            Refusal::AlreadyRefunded => f.write_str("the money was given back already"),
            Refusal::RefundFailed => f.write_str("the refund was refused; the order is still paid"),
            Refusal::BadSignature => f.write_str("the signature is not of these bytes, or too old"),
            Refusal::Muted { .. } => f.write_str("you are muted"),
            Refusal::Banned => f.write_str("you are banned from this show"),
            Refusal::SlowMode { .. } => f.write_str("slow mode: wait before the next message"),
            Refusal::ChatBudget { .. } => f.write_str("too many messages"),
            Refusal::ChatOff => f.write_str("only the team may speak now"),
            Refusal::BlockedWord => f.write_str("a word in it is not wanted in this show"),
            Refusal::LinksNotAllowed => f.write_str("links are not wanted in this show"),
            Refusal::RepeatedCharacters => f.write_str("this says nothing: too much of one sign"),
            Refusal::DuplicateMessage { .. } => f.write_str("you said this a moment ago"),
            Refusal::ReviewQueueFull { .. } => f.write_str("too many messages wait for the team"),
            Refusal::Busy { .. } => f.write_str("busy; nothing was done, try again"),
        }
    }
}
