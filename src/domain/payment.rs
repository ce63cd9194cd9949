//! Payment attempts and refunds, and the rule for the next step of an attempt. The same rule decides for the buyer's request, for
//! the provider's webhook and for the reconciler.

use super::{CardUse, ManualMethod, Millis, Minor, OrderId, OrderStatus, UsedMethod};

/// The status of a payment attempt in our database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentStatus {
    /// Written before the call to the provider, so the provider may or may not know the attempt.
    Creating,
    /// The buyer must confirm the payment on a page of the provider.
    NeedsAction,
    /// The money is authorized, not captured.
    Authorized,
    /// The attempt did not win its order, and its authorization must be cancelled.
    Voiding,
    Captured,
    Declined,
    /// The authorization was cancelled, or the attempt never reached the provider. No money moved.
    Cancelled,
    /// The attempt had won its order, and the money could not be captured.
    Failed,
}

impl PaymentStatus {
    pub const ALL: [PaymentStatus; 8] = {
        use PaymentStatus::*;
        [Creating, NeedsAction, Authorized, Voiding, Captured, Declined, Cancelled, Failed]
    };

    pub fn name(self) -> &'static str {
        match self {
            PaymentStatus::Creating => "creating",
            PaymentStatus::NeedsAction => "needs_action",
            PaymentStatus::Authorized => "authorized",
            PaymentStatus::Voiding => "voiding",
            PaymentStatus::Captured => "captured",
            PaymentStatus::Declined => "declined",
            PaymentStatus::Cancelled => "cancelled",
            PaymentStatus::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }

    /// Can the attempt still win its order?
    pub fn is_open(self) -> bool {
        matches!(self, PaymentStatus::Creating | PaymentStatus::NeedsAction | PaymentStatus::Authorized)
    }

    /// Is the attempt finished, so that no job looks at it again?
    pub fn is_final(self) -> bool {
        !self.is_open() && self != PaymentStatus::Voiding
    }

    /// Can `next` replace this status? A call to the provider takes time and several jobs make calls, so only a later status may
    /// replace an earlier one.
    pub fn can_become(self, next: PaymentStatus) -> bool {
        use PaymentStatus::*;
        match self {
            Creating => next != Creating,
            NeedsAction => !matches!(next, Creating | NeedsAction),
            Authorized => matches!(next, Voiding | Captured | Declined | Cancelled | Failed),
            Voiding => matches!(next, Captured | Declined | Cancelled | Failed),
            // The request reached the provider very late, or the buyer tried again with a card that was declined: an attempt that
            // seemed finished has an authorization after all.
            Cancelled | Failed | Declined => next == Voiding,
            Captured => false,
        }
    }
}

/// Money that was taken and is not for an order: what has become of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwedStatus {
    /// It must be given back.
    Owed,
    /// The provider has given it back.
    Returned,
}

impl OwedStatus {
    pub fn name(self) -> &'static str {
        match self {
            OwedStatus::Owed => "owed",
            OwedStatus::Returned => "returned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [OwedStatus::Owed, OwedStatus::Returned].into_iter().find(|status| status.name() == text)
    }
}

/// How old an attempt is, as far as it decides what a missing intent means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttemptAge {
    /// The request that creates the intent may still be on its way to the provider.
    Young,
    /// No request of ours can arrive any more.
    Settled,
    /// An authorization of this age has lapsed, so it cannot be captured any more.
    Lapsed,
}

/// Time after which an authorization that was never captured has lapsed at every provider.
pub const AUTHORIZATION_LAPSE_MS: Millis = 8 * 24 * 3_600_000;

/// Providers forget an idempotency key after a day. After this time the request that creates an intent is not repeated, because it
/// could create a second one; the provider is only asked.
pub const CREATE_REPEAT_MAX_MS: Millis = 12 * 3_600_000;

/// The most time that requests to the payment provider add to one hold, over all attempts to pay.
pub const EXTENSION_MAX_MS: Millis = 5 * 60_000;

/// How much longer than a request to the provider the holds of its order last at least, so that its outcome can be recorded.
pub const REQUEST_MARGIN_MS: Millis = 10_000;

/// How long the holds of an attempt that waits in the queue last at least, from each time that they are made longer.
pub const QUEUE_HOLD_MS: Millis = 60_000;

/// How long an attempt that was sent to the provider is left alone before it is sent again: its answer must have come until then.
pub const PAYMENT_CALL_LEASE_MS: Millis = 60_000;

/// A payment attempt, together with the status of its order at the same moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Payment {
    pub order: OrderId,
    /// 1 for the first attempt. The number is part of the idempotency key that is sent to the provider.
    pub attempt: i64,
    pub provider: String,
    pub token: String,
    /// The provider's id of the payment intent, once it is known.
    pub reference: Option<String>,
    pub status: PaymentStatus,
    pub amount: Minor,
    pub currency: String,
    pub created_at: Millis,
    /// When the provider was asked last to authorise it. `None`: it waits in the queue, and the provider knows nothing of it.
    pub called_at: Option<Millis>,
    /// The queue sends it to the provider, and sends it again when the answer is lost.
    pub is_sent_by_queue: bool,
    pub order_status: OrderStatus,
    /// Is this the only attempt of its order that may be captured?
    pub wins: bool,
    /// Of a held order: a line that the attempt was to pay has ended, so the attempt can no longer win.
    pub has_lost_lines: bool,
    /// Its money was taken and is not for its order. `None`: it was not.
    pub owed: Option<OwedStatus>,
    pub card: CardUse,
}

/// A payment intent: the provider's view of an attempt.
#[derive(Clone, PartialEq, Debug)]
pub struct PaymentIntent {
    pub reference: String,
    pub status: PaymentIntentStatus,
    pub amount: Minor,
    pub currency: String,
    /// The order id that we sent as metadata, so that the intent can be matched to its order.
    pub order: OrderId,
    pub attempt: i64,
    pub livemode: bool,
    pub captured: Minor,
    pub refunded: Minor,
    /// What the provider calls the card, or whatever else was charged: the same for the same card. `None`: it does not say.
    pub fingerprint: Option<String>,
    /// What it is paid with, if the provider can save that.
    pub method: Option<UsedMethod>,
    /// Where the buyer confirms the payment; of an intent that needs it.
    pub action_url: Option<String>,
    /// The method of the buyer can be authorised and captured later. `false`: the money is taken at once (as with mada cards), so it is
    /// there before the order has won its units.
    pub authorises: bool,
}

impl PaymentIntent {
    /// The whole amount was taken without an authorization, and nothing was given back: it may still win its order.
    fn is_taken_at_once(&self) -> bool {
        !self.authorises && self.captured == self.amount && self.refunded == 0
    }
}

/// The status of a payment intent at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentIntentStatus {
    NeedsAction,
    Declined,
    Authorized,
    Captured,
    Cancelled,
    /// The intent was authorized, and the capture was refused.
    Failed,
    /// The provider has not decided yet, and nobody has to do anything.
    Working,
}

impl PaymentIntentStatus {
    pub const ALL: [PaymentIntentStatus; 7] = {
        use PaymentIntentStatus::*;
        [NeedsAction, Declined, Authorized, Captured, Cancelled, Failed, Working]
    };

    pub fn name(self) -> &'static str {
        match self {
            PaymentIntentStatus::NeedsAction => "needs_action",
            PaymentIntentStatus::Declined => "declined",
            PaymentIntentStatus::Authorized => "authorized",
            PaymentIntentStatus::Captured => "captured",
            PaymentIntentStatus::Cancelled => "cancelled",
            PaymentIntentStatus::Failed => "failed",
            PaymentIntentStatus::Working => "working",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// The next step of a payment attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentStep {
    /// Record this status. Nothing else has to be done now.
    Record(PaymentStatus),
    /// The money is authorized, or was taken at once, and the order is held: win the order, then capture what is not captured.
    Win,
    /// This attempt has won its order: capture the money.
    Capture,
    /// The money is captured and the order is not marked as paid yet.
    MarkPaid,
    /// This attempt has won its order but cannot be captured: the order ends, and its units are on sale again.
    FailOrder,
    /// Another attempt has won, or no attempt can win any more: cancel the authorization.
    Void,
    /// Nothing can be decided yet: check again later.
    Wait,
    /// Money was taken that is not for this order: note that it is owed.
    Owe,
    /// Money is owed: ask the provider to give it back.
    GiveBack,
    /// The provider has given back what was owed.
    RecordReturn,
    /// The provider does not know the intent that it reported before, or it is another one. The order may be paid, so nothing is
    /// cancelled: an operator has to look at it.
    Unexplained,
}

impl Payment {
    /// The shop has received it itself, so no provider knows it.
    pub fn is_manual(&self) -> bool {
        ManualMethod::parse(&self.provider).is_some()
    }

    /// The idempotency key of the call that creates the intent.
    pub fn create_key(&self) -> String {
        format!("pi:{}:{}", self.order, self.attempt)
    }

    /// The idempotency key of the capture. All attempts of an order share it, so that money is captured once.
    pub fn capture_key(&self) -> String {
        format!("cap:{}", self.order)
    }

    /// The idempotency key of the call that cancels the authorization.
    pub fn cancel_key(&self) -> String {
        format!("can:{}:{}", self.order, self.attempt)
    }

    /// Does the intent belong to this attempt, with the amount, currency and mode that we requested?
    pub fn matches(&self, intent: &PaymentIntent, livemode: bool) -> bool {
        self.is_same_attempt(intent)
            && (intent.amount, intent.currency.as_str(), intent.livemode)
                == (self.amount, self.currency.as_str(), livemode)
    }

    fn is_same_attempt(&self, intent: &PaymentIntent) -> bool {
        (intent.order, intent.attempt) == (self.order, self.attempt)
    }

    /// The idempotency key of a try to give back money which is owed, counted from 1: a try that failed is not repeated under its key.
    pub fn return_key(&self, n: i64) -> String {
        let first = format!("ret:{}:{}", self.order, self.attempt);
        if n == 1 { first } else { format!("{first}:{n}") }
    }

    /// `late_ms`: the time after which no request of ours can arrive at the provider any more.
    pub fn age(&self, now: Millis, late_ms: Millis) -> AttemptAge {
        match now - self.called_at.unwrap_or(self.created_at) {
            age if age >= AUTHORIZATION_LAPSE_MS => AttemptAge::Lapsed,
            age if age >= late_ms => AttemptAge::Settled,
            _ => AttemptAge::Young,
        }
    }

    /// The next step, given the intent that the provider reports. `None`: the provider does not know the attempt.
    pub fn next_step(&self, reported: Option<&PaymentIntent>, livemode: bool, age: AttemptAge) -> PaymentStep {
        let is_capturing = self.wins && self.order_status == OrderStatus::Capturing;
        let ended = if self.wins { PaymentStatus::Failed } else { PaymentStatus::Cancelled };
        // An intent that names another attempt is not ours. It must be neither captured nor cancelled.
        let Some(intent) = reported.filter(|intent| self.is_same_attempt(intent)) else {
            return match age {
                _ if self.owed == Some(OwedStatus::Owed) => PaymentStep::Unexplained,
                _ if self.status.is_final() => PaymentStep::Record(self.status),
                AttemptAge::Young if self.reference.is_none() => PaymentStep::Wait,
                AttemptAge::Young | AttemptAge::Settled if self.reference.is_some() => PaymentStep::Unexplained,
                _ if is_capturing => PaymentStep::FailOrder,
                _ => PaymentStep::Record(ended),
            };
        };
        let matches = self.matches(intent, livemode);
        match intent.status {
            PaymentIntentStatus::Captured if is_capturing && matches => PaymentStep::MarkPaid,
            PaymentIntentStatus::Captured if self.wins && self.order_status.is_or_was_paid() => {
                if matches {
                    PaymentStep::Record(PaymentStatus::Captured)
                } else {
                    PaymentStep::Unexplained
                }
            }
            _ if !matches && is_capturing => PaymentStep::FailOrder,
            PaymentIntentStatus::Captured if matches && intent.is_taken_at_once() && self.can_win() => PaymentStep::Win,
            PaymentIntentStatus::Captured => self.next_step_of_debt(intent),
            PaymentIntentStatus::Working => PaymentStep::Wait,
            PaymentIntentStatus::NeedsAction | PaymentIntentStatus::Authorized if !matches => PaymentStep::Void,
            PaymentIntentStatus::NeedsAction if self.can_win() => PaymentStep::Record(PaymentStatus::NeedsAction),
            PaymentIntentStatus::Authorized if self.can_win() => PaymentStep::Win,
            PaymentIntentStatus::Authorized if is_capturing => PaymentStep::Capture,
            // The capture was declined, and the buyer began again: the reservations that the order had won have ended.
            PaymentIntentStatus::NeedsAction if is_capturing => PaymentStep::FailOrder,
            PaymentIntentStatus::NeedsAction | PaymentIntentStatus::Authorized => PaymentStep::Void,
            PaymentIntentStatus::Declined | PaymentIntentStatus::Cancelled | PaymentIntentStatus::Failed
                if is_capturing =>
            {
                PaymentStep::FailOrder
            }
            // It ended before, for whatever reason.
            PaymentIntentStatus::Declined | PaymentIntentStatus::Cancelled | PaymentIntentStatus::Failed
                if self.status.is_final() =>
            {
                PaymentStep::Record(self.status)
            }
            PaymentIntentStatus::Declined if !self.wins => PaymentStep::Record(PaymentStatus::Declined),
            PaymentIntentStatus::Declined | PaymentIntentStatus::Cancelled | PaymentIntentStatus::Failed => {
                PaymentStep::Record(ended)
            }
        }
    }

    /// The next step of money that was taken and is not for the order. A refund of it may fail later; then it is owed again.
    fn next_step_of_debt(&self, intent: &PaymentIntent) -> PaymentStep {
        let is_returned = intent.refunded >= intent.captured;
        match self.owed {
            Some(OwedStatus::Owed) if is_returned => PaymentStep::RecordReturn,
            Some(OwedStatus::Owed) => PaymentStep::GiveBack,
            Some(OwedStatus::Returned) if is_returned => PaymentStep::Record(self.status),
            Some(OwedStatus::Returned) | None => PaymentStep::Owe,
        }
    }

    fn can_win(&self) -> bool {
        self.status.is_open() && self.order_status == OrderStatus::Held && !self.has_lost_lines
    }
}

/// A refund of an order. One at a time waits for the first answer of the provider; others may wait for the bank meanwhile.
#[derive(Clone, PartialEq, Debug)]
pub struct Refund {
    pub order: OrderId,
    /// The number of the refund within its order; part of the idempotency key.
    pub n: i64,
    pub status: RefundStatus,
    pub amount: Minor,
    pub currency: String,
    /// The provider's id of the refund, once it is known.
    pub reference: Option<String>,
    /// `true`: the units go back on sale. `false`: the buyer keeps the goods, and the units are gone.
    pub restock: bool,
    pub created_at: Millis,
}

/// A refund as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderRefund {
    pub reference: String,
    pub status: ProviderRefundStatus,
    pub amount: Minor,
    /// The key under which we asked for it. `None`: somebody made it at the provider by hand.
    pub key: Option<String>,
}

impl ProviderRefund {
    /// The refund with this key. After a failure that the provider keeps, there may be one under each numbered key: the one that lives counts.
    pub fn of_key(all: &[Self], key: &str) -> Option<Self> {
        let ours = || all.iter().filter(|refund| refund.key.as_deref() == Some(key));
        ours().find(|refund| refund.status != ProviderRefundStatus::Failed).or_else(|| ours().next()).cloned()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProviderRefundStatus {
    /// The bank has not carried it out yet.
    Pending,
    Done,
    /// It failed, perhaps days after it was done: the buyer does not have the money.
    Failed,
}

/// What has to be noted about a refund, given what the provider says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefundStep {
    /// The provider has it, and the bank has not answered. Also where nothing new is known.
    Keep,
    Finish,
    /// The provider did not carry it out.
    Fail,
    /// It was done, and the bank has sent the money back: the buyer has to get it in another way.
    Reverse,
}

/// The status of a refund.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefundStatus {
    Pending,
    Done,
    /// The buyer did not get the money: the provider refused the refund, or the bank sent it back later. It can be given back by
    /// another refund.
    Failed,
}

impl RefundStatus {
    pub fn name(self) -> &'static str {
        match self {
            RefundStatus::Pending => "pending",
            RefundStatus::Done => "done",
            RefundStatus::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(RefundStatus::Pending),
            "done" => Some(RefundStatus::Done),
            "failed" => Some(RefundStatus::Failed),
            _ => None,
        }
    }
}

impl Refund {
    /// One refund is asked for under one key; what is given back after a failure is another refund, with another number.
    pub fn idempotency_key(&self) -> String {
        format!("rf:{}:{}", self.order, self.n)
    }

    /// The one rule by which the provider's word becomes ours, for requests, events and the reconciler. Only the status of this refund
    /// decides, never the sum that the provider shows for the payment: it counts refunds of others and those that are pending.
    pub fn next_step(&self, reported: ProviderRefundStatus) -> RefundStep {
        match (self.status, reported) {
            (RefundStatus::Pending, ProviderRefundStatus::Done) => RefundStep::Finish,
            (RefundStatus::Pending, ProviderRefundStatus::Failed) => RefundStep::Fail,
            (RefundStatus::Done, ProviderRefundStatus::Failed) => RefundStep::Reverse,
            (RefundStatus::Pending | RefundStatus::Done | RefundStatus::Failed, _) => RefundStep::Keep,
        }
    }
}

#[cfg(test)]
#[path = "payment_test.rs"]
mod tests;

#[cfg(test)]
#[path = "payment_states_test.rs"]
mod states_test;
