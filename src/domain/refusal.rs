//! Refusals: negative answers that are not faults, each with a stable code. A refusal is expected, tested, and never logged as
//! an error.
//!
//! The table in `refusal_table.rs` holds the code of each, its HTTP status, its meaning and the key of the text that our pages show.

use std::borrow::Cow;

use super::{CouponProblem, Millis, OfferId, OrderId, OrderQuote, ReservationId, StripeKeyProblem};

/// The reason why a request was not carried out, with the facts that the client needs.
#[derive(Clone, PartialEq, Debug)]
pub enum Refusal {
    BadRequest(String),
    /// A bad request for which one field of the form is at fault.
    BadField {
        field: Cow<'static, str>,
        why: String,
    },
    /// The field is valid by itself, but does not fit the other fields or the present state.
    InvalidValue {
        field: &'static str,
        why: &'static str,
    },
    UnknownVerb(String),
    SignIn,
    /// The token is not signed with one of our keys. The client does not learn more.
    TokenInvalid,
    /// The token is signed with one of our keys, and not accepted; the text is a whole sentence that says why.
    TokenRefused(&'static str),
    TokenExpired,
    TokenNotYetValid,
    TokenRevoked,
    NoSuchRevocation,
    NoSuchMail,
    Forbidden,
    /// Somebody else has changed the object since the caller read it.
    Outdated,
    /// A sanction against somebody of the same rank or above, or a change of a sanction from above.
    Outranked,
    /// Moderators, producers, analysts and admins cannot buy in a show that they help to run.
    TeamCannotBuy,
    /// Only a host may sell at the price 0.
    PriceNeedsHost,
    NoSuchStream,
    NoSuchOffer,
    NoSuchOrder,
    NoSuchProduct,
    NoSuchPicture,
    /// The file is of a kind that is not accepted; `None`: it is no picture that we know.
    PictureKind {
        found: Option<&'static str>,
    },
    PictureTooLarge,
    PicturePixels,
    PictureDamaged,
    /// This server has no storage for uploaded pictures.
    PicturesOff,
    NoSuchImport,
    ImportTooLarge,
    NoSuchMessage,
    /// The invite link is wrong, expired, revoked or used up. The answer does not say which, so that nobody can probe for links.
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
    /// `orders`: the buyer's orders that use up the limit.
    BuyerLimit {
        per_buyer: i64,
        orders: Vec<OrderId>,
    },
    /// This card paid for other buyers, and with this order it would pay for more units of these offers than one person may have.
    CardLimit {
        offers: Vec<OfferId>,
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
    /// The current status of the object does not allow the request; the text is a whole sentence that says why.
    WrongStatus(&'static str),
    HoldExpired,
    /// Lines of the order are gone, so that the payment could not win all of them. The others are still held.
    LinesGone(Vec<ReservationId>),
    /// The order costs something else than the buyer has seen; the quote as it is now.
    QuoteChanged(Box<OrderQuote>),
    /// The address is in a country to which the shop does not deliver; `countries`: those to which it does.
    CountryNotServed {
        countries: Vec<String>,
    },
    /// The coupon cannot be used for the order. It keeps the coupon that it has.
    Coupon(CouponProblem),
    AlreadyPaid,
    /// The order is placed, and the shop receives the payment itself.
    AlreadyPlaced,
    /// The order cannot be placed to be paid in this way; `offers`: those that must be paid at once, if they are why.
    MethodOff {
        offers: Vec<OfferId>,
    },
    MethodNeedsEmail,
    NoSuchCard,
    /// The buyer has as many placed orders that are not paid as one buyer can have.
    TooManyPlaced,
    Declined,
    CaptureFailed,
    /// The buyer must confirm the payment at `action_url`, a page of the provider or of ours. The order is still held.
    NeedsAction {
        action_url: String,
    },
    /// The payment waits for its turn at the provider. The order stays held meanwhile.
    PaymentQueued {
        place: i64,
        retry_ms: i64,
    },
    /// This server has no payment provider.
    PaymentsOff,
    NotPaid,
    AlreadyRefunded,
    RefundFailed,
    /// The signature of a webhook does not match, or the webhook is too old.
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
    ChatOff,
    BlockedWord,
    /// A viewer's name looks like the name of a team member.
    NameClaimsRole,
    LinksNotAllowed,
    /// One character many times in a row, or a long row of symbols without a letter.
    RepeatedCharacters,
    /// The same user sent the same text a moment ago.
    DuplicateMessage {
        retry_ms: i64,
    },
    ReviewQueueFull {
        retry_ms: i64,
    },
    /// A one-time sign-in code is wrong, used, expired, or bound to another site. The answer does not say which, so that nobody
    /// can probe for codes.
    SignInCodeInvalid,
    EmailCodeWrong,
    /// The code by e-mail was used, is too old, was tried too often, or another browser asked for it.
    EmailCodeInvalid,
    EmailOff,
    /// The shop sends no e-mail, or has no address for the links in it.
    FollowsOff,
    /// The link of a confirmation is not known, or its time is over. The answer does not say which, so that nobody can probe for links.
    FollowLinkInvalid,
    /// The mail server did not take a test message; the text is a whole sentence that says why.
    MailRefused(String),
    /// This server has no key to encrypt secrets with, so it stores none.
    SecretsKeyMissing,
    /// The keys of Stripe that were typed are not taken.
    StripeKeys(StripeKeyProblem),
    NameNeeded,
    BuyersVerified,
    BuyersAccount,
    /// The user signed in by a token: there is no session that could be changed.
    NoSession,
    /// The change would leave the shop without an owner.
    LastOwner,
    /// The account has no role in that place, or there is no such account.
    NoSuchMember,
    /// A set-up link was used, is too old, or was replaced. The answer does not say which, so that nobody can probe for links.
    SetupLinkInvalid,
    NoSuchApiKey,
    NoSuchCustomer,
    NoSuchPolicy,
    /// The API key does not have the scope for the route, or no key may use the route.
    ScopeMissing,
    /// The session is too old for what was asked: the user must prove again who they are.
    SignInAgain,
    /// A passkey, or what a browser says about it, is not accepted. The sentence says why, for the log.
    PasskeyInvalid(&'static str),
    /// The account has passkeys, and this session has not proved one.
    PasskeyNeeded,
    NoSuchPasskey,
    /// Browsers make no passkeys for an address without a host name or HTTPS.
    PasskeysOff,
    /// This shop has no identity provider.
    OidcOff,
    /// The sign-in was used, is too old, or was begun in another browser.
    OidcInvalid,
    /// The identity provider did not answer, or what it said is not valid.
    OidcFailed,
    /// This user sends too many requests of this kind.
    TooManyRequests {
        retry_ms: Millis,
    },
    /// This user tries to pay too often.
    TooManyPayments {
        retry_ms: Millis,
    },
    /// Several holds of this offer lapsed, and this buyer did not pay for them.
    TooManyHolds {
        retry_ms: Millis,
    },
    /// Certainly not done; the client may try again after `retry_ms`.
    Busy {
        retry_ms: i64,
    },
}

impl Refusal {
    pub fn bad_request(why: impl Into<String>) -> Self {
        Refusal::BadRequest(why.into())
    }

    /// `why` continues a sentence that begins with the name of the field: "must be 10 to 300."
    pub fn bad_field(field: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Refusal::BadField { field: field.into(), why: why.into() }
    }

    /// `why` continues a sentence as in [`bad_field`](Self::bad_field).
    pub fn invalid_value(field: &'static str, why: &'static str) -> Self {
        Refusal::InvalidValue { field, why }
    }

    /// The same bad request under the name that the field has in this form: a title may be the `name` of a variant.
    pub fn in_field(self, field: impl Into<Cow<'static, str>>) -> Self {
        match self {
            Refusal::BadRequest(why) | Refusal::BadField { why, .. } => Self::bad_field(field, why),
            other => other,
        }
    }

    /// The field that is wrong, where it is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Refusal::BadField { field, .. } => Some(field),
            Refusal::InvalidValue { field, .. } => Some(field),
            Refusal::StripeKeys(problem) => problem.field(),
            Refusal::CountryNotServed { .. } => Some("country"),
            _ => None,
        }
    }

    /// The stable code on which clients act.
    pub fn code(&self) -> &'static str {
        self.error_code().code
    }

    /// There are no units to buy now; another try may find some.
    pub fn is_no_units(&self) -> bool {
        matches!(
            self,
            Refusal::SoldOut
                | Refusal::SoldOutForNow
                | Refusal::TooFewLeft { .. }
                | Refusal::Closed
                | Refusal::NotOpen { .. }
        )
    }

    /// The time after which another try may succeed, in milliseconds from now.
    pub fn retry_ms(&self) -> Option<i64> {
        match self {
            Refusal::Muted { until, now } => Some((until - now).max(0)),
            Refusal::SlowMode { retry_ms }
            | Refusal::ChatBudget { retry_ms }
            | Refusal::DuplicateMessage { retry_ms }
            | Refusal::ReviewQueueFull { retry_ms }
            | Refusal::TooManyRequests { retry_ms }
            | Refusal::TooManyPayments { retry_ms }
            | Refusal::TooManyHolds { retry_ms }
            | Refusal::PaymentQueued { retry_ms, .. }
            | Refusal::Busy { retry_ms } => Some(*retry_ms),
            Refusal::NotOpen { opens_at: Some(opens_at), now } => Some((opens_at - now).max(0)),
            _ => None,
        }
    }
}
