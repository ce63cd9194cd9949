//! Payment attempts and refunds, and the rule for the next step of an attempt. The same rule decides for the buyer's request, for
//! the provider's webhook and for the reconciler.

use super::{Millis, Minor, OrderId, OrderStatus};

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
            Authorized => matches!(next, Voiding | Captured | Cancelled | Failed),
            Voiding => matches!(next, Captured | Declined | Cancelled | Failed),
            // The request reached the provider very late: an attempt that seemed cancelled has an authorization after all.
            Cancelled | Failed => next == Voiding,
            Captured | Declined => false,
        }
    }
}

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
    pub order_status: OrderStatus,
    /// Is this the only attempt of its order that may be captured?
    pub wins: bool,
    /// Of a held order: a line that the attempt was to pay has ended, so the attempt can no longer win.
    pub has_lost_lines: bool,
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
}

impl PaymentIntentStatus {
    pub const ALL: [PaymentIntentStatus; 6] = {
        use PaymentIntentStatus::*;
        [NeedsAction, Declined, Authorized, Captured, Cancelled, Failed]
    };

    pub fn name(self) -> &'static str {
        match self {
            PaymentIntentStatus::NeedsAction => "needs_action",
            PaymentIntentStatus::Declined => "declined",
            PaymentIntentStatus::Authorized => "authorized",
            PaymentIntentStatus::Captured => "captured",
            PaymentIntentStatus::Cancelled => "cancelled",
            PaymentIntentStatus::Failed => "failed",
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
    /// The money is authorized and the order is held: win the order, then capture the money.
    Win,
    /// This attempt has won its order: capture the money.
    Capture,
    /// The money is captured and the order is not marked as paid yet.
    MarkPaid,
    /// This attempt has won its order but cannot be captured: the order ends, and its units are on sale again.
    FailOrder,
    /// Another attempt has won, or no attempt can win any more: cancel the authorization.
    Void,
    /// Money was captured although this attempt did not win. This must never happen; an operator has to look at it.
    UnmatchedCapture,
}

impl Payment {
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

    /// The next step, given the intent that the provider reports. `None`: the provider does not know the attempt and will never
    /// receive it.
    pub fn next_step(&self, reported: Option<&PaymentIntent>, livemode: bool) -> PaymentStep {
        let is_capturing = self.wins && self.order_status == OrderStatus::Capturing;
        let ended = if self.wins { PaymentStatus::Failed } else { PaymentStatus::Cancelled };
        // An intent that names another attempt is not ours. It must be neither captured nor cancelled.
        let Some(intent) = reported.filter(|intent| self.is_same_attempt(intent)) else {
            return if is_capturing { PaymentStep::FailOrder } else { PaymentStep::Record(ended) };
        };
        match intent.status {
            PaymentIntentStatus::Captured if !self.matches(intent, livemode) => PaymentStep::UnmatchedCapture,
            _ if !self.matches(intent, livemode) && is_capturing => PaymentStep::FailOrder,
            PaymentIntentStatus::NeedsAction | PaymentIntentStatus::Authorized if !self.matches(intent, livemode) => {
                PaymentStep::Void
            }
            PaymentIntentStatus::NeedsAction if self.can_win() => PaymentStep::Record(PaymentStatus::NeedsAction),
            PaymentIntentStatus::Authorized if self.can_win() => PaymentStep::Win,
            PaymentIntentStatus::Authorized if is_capturing => PaymentStep::Capture,
            PaymentIntentStatus::NeedsAction | PaymentIntentStatus::Authorized => PaymentStep::Void,
            PaymentIntentStatus::Captured if is_capturing => PaymentStep::MarkPaid,
            PaymentIntentStatus::Captured if self.wins && self.order_status.is_or_was_paid() => {
                PaymentStep::Record(PaymentStatus::Captured)
            }
            PaymentIntentStatus::Captured => PaymentStep::UnmatchedCapture,
            PaymentIntentStatus::Declined | PaymentIntentStatus::Cancelled | PaymentIntentStatus::Failed
                if is_capturing =>
            {
                PaymentStep::FailOrder
            }
            PaymentIntentStatus::Declined => PaymentStep::Record(PaymentStatus::Declined),
            PaymentIntentStatus::Cancelled | PaymentIntentStatus::Failed => PaymentStep::Record(ended),
        }
    }

    fn can_win(&self) -> bool {
        self.status.is_open() && self.order_status == OrderStatus::Held && !self.has_lost_lines
    }
}

/// A refund in flight or done. An order has at most one, over the whole amount.
#[derive(Clone, PartialEq, Debug)]
pub struct Refund {
    pub order: OrderId,
    /// The number of the refund within its order; part of the idempotency key.
    pub n: i64,
    pub status: RefundStatus,
    pub amount: Minor,
    pub currency: String,
    /// `true`: the units go back on sale. `false`: the buyer keeps the goods, and the units are gone.
    pub restock: bool,
}

/// The status of a refund.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefundStatus {
    Pending,
    Done,
    /// The provider refused the refund; the order is still paid.
    Failed,
}

impl RefundStatus {
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
    pub fn idempotency_key(&self) -> String {
        format!("rf:{}:{}", self.order, self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(status: PaymentStatus, order_status: OrderStatus, wins: bool) -> Payment {
        Payment {
            order: OrderId(uuid::Uuid::nil()),
            attempt: 2,
            provider: "test".into(),
            token: "ok".into(),
            reference: Some("r".into()),
            status,
            amount: 4_900,
            currency: "SAR".into(),
            created_at: 0,
            order_status,
            wins,
            has_lost_lines: false,
        }
    }

    fn intent(status: PaymentIntentStatus) -> PaymentIntent {
        PaymentIntent {
            reference: "r".into(),
            status,
            amount: 4_900,
            currency: "SAR".into(),
            order: OrderId(uuid::Uuid::nil()),
            attempt: 2,
            livemode: false,
            captured: 0,
            refunded: 0,
        }
    }

    #[test]
    fn next_step_follows_from_attempt_order_and_intent() {
        use OrderStatus::{Cancelled, Capturing, Expired, Held, Paid, Refunded};
        use PaymentStatus as P;
        let authorized = Some(PaymentIntentStatus::Authorized);
        for (status, order, wins, reported, step) in [
            (P::Creating, Held, false, authorized, PaymentStep::Win),
            (P::NeedsAction, Held, false, authorized, PaymentStep::Win),
            (P::Creating, Held, false, Some(PaymentIntentStatus::NeedsAction), PaymentStep::Record(P::NeedsAction)),
            (P::Creating, Held, false, Some(PaymentIntentStatus::Declined), PaymentStep::Record(P::Declined)),
            (P::Creating, Held, false, None, PaymentStep::Record(P::Cancelled)),
            (P::Cancelled, Held, false, authorized, PaymentStep::Void),
            (P::Voiding, Held, false, authorized, PaymentStep::Void),
            (P::Creating, Expired, false, authorized, PaymentStep::Void),
            (P::Creating, Capturing, false, authorized, PaymentStep::Void),
            (P::NeedsAction, Paid, false, Some(PaymentIntentStatus::NeedsAction), PaymentStep::Void),
            (P::Authorized, Capturing, true, authorized, PaymentStep::Capture),
            (P::Authorized, Capturing, true, Some(PaymentIntentStatus::Captured), PaymentStep::MarkPaid),
            (P::Authorized, Capturing, true, Some(PaymentIntentStatus::Failed), PaymentStep::FailOrder),
            (P::Authorized, Capturing, true, None, PaymentStep::FailOrder),
            (P::Authorized, Cancelled, true, authorized, PaymentStep::Void),
            (P::Voiding, Cancelled, true, Some(PaymentIntentStatus::Cancelled), PaymentStep::Record(P::Failed)),
            (P::Voiding, Expired, false, Some(PaymentIntentStatus::Cancelled), PaymentStep::Record(P::Cancelled)),
            (P::Captured, Refunded, true, Some(PaymentIntentStatus::Captured), PaymentStep::Record(P::Captured)),
            (P::Cancelled, Expired, false, Some(PaymentIntentStatus::Captured), PaymentStep::UnmatchedCapture),
        ] {
            let reported = reported.map(intent);
            assert_eq!(
                payment(status, order, wins).next_step(reported.as_ref(), false),
                step,
                "{status:?} {order:?} {wins} {reported:?}"
            );
        }
    }

    /// For every reported intent: no money is captured for an attempt that did not win, or for another amount.
    #[test]
    fn money_is_captured_only_for_the_winner_and_the_requested_amount() {
        let wrong: [fn(&mut PaymentIntent); 5] = [
            |intent| intent.amount += 1,
            |intent| intent.currency = "USD".into(),
            |intent| intent.order = OrderId::new(),
            |intent| intent.attempt = 1,
            |intent| intent.livemode = true,
        ];
        for order in OrderStatus::ALL {
            for (status, wins) in PaymentStatus::ALL.into_iter().flat_map(|status| [(status, true), (status, false)]) {
                for reported in PaymentIntentStatus::ALL {
                    let payment = payment(status, order, wins);
                    let step = payment.next_step(Some(&intent(reported)), false);
                    let taking = wins && order == OrderStatus::Capturing;
                    assert!(step != PaymentStep::Capture || (taking && reported == PaymentIntentStatus::Authorized));
                    assert!(step != PaymentStep::MarkPaid || (taking && reported == PaymentIntentStatus::Captured));
                    assert!(step != PaymentStep::Win || (order == OrderStatus::Held && status.is_open()));
                    for change in wrong {
                        let mut changed = intent(reported);
                        change(&mut changed);
                        let step = payment.next_step(Some(&changed), false);
                        assert!(
                            !matches!(step, PaymentStep::Win | PaymentStep::Capture | PaymentStep::MarkPaid),
                            "{payment:?} {changed:?}"
                        );
                        assert!(
                            step != PaymentStep::Void || payment.is_same_attempt(&changed),
                            "{payment:?} {changed:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn finished_attempt_never_becomes_open_again() {
        use PaymentStatus::*;
        for from in PaymentStatus::ALL.into_iter().filter(|status| !status.is_open()) {
            for to in [Creating, NeedsAction, Authorized] {
                assert!(!from.can_become(to), "{from:?} to {to:?}");
            }
        }
    }
}
