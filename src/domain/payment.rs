//! A try to take money for an order, and what may be done with it. One rule decides for everybody who follows a try:
//! the buyer's request, the provider's webhook, the reconciler.

use super::{Millis, Minor, OrderId, OrderStatus};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentStatus {
    /// Written before the provider was asked; it may know of it or not.
    Creating,
    /// The buyer has something to do at the provider.
    NeedsAction,
    /// The money is set aside, not taken.
    Authorized,
    /// It lost, and what was set aside must be let go.
    Voiding,
    Captured,
    Declined,
    /// Let go, or never begun: no money moved.
    Cancelled,
    /// It had won its order, and the money could not be taken.
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

    /// It may still win its order.
    pub fn is_open(self) -> bool {
        matches!(self, PaymentStatus::Creating | PaymentStatus::NeedsAction | PaymentStatus::Authorized)
    }

    /// Nobody follows it any more.
    pub fn is_final(self) -> bool {
        !self.is_open() && self != PaymentStatus::Voiding
    }

    /// Looking at a try takes time and others look too, so a status is only ever replaced by a later one.
    pub fn can_become(self, next: PaymentStatus) -> bool {
        use PaymentStatus::*;
        match self {
            Creating => next != Creating,
            NeedsAction => !matches!(next, Creating | NeedsAction),
            Authorized => matches!(next, Voiding | Captured | Cancelled | Failed),
            Voiding => matches!(next, Captured | Declined | Cancelled | Failed),
            // What was taken for dead turns out to be alive: its request was only very late.
            Cancelled | Failed => next == Voiding,
            Captured | Declined => false,
        }
    }
}

/// A try to take money, beside its order as it stood at the same moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Payment {
    pub order: OrderId,
    /// 1 for the first try; part of the key the provider sees.
    pub attempt: i64,
    pub provider: String,
    pub token: String,
    /// The provider's name for it, once it is known.
    pub reference: Option<String>,
    pub status: PaymentStatus,
    pub amount: Minor,
    pub currency: String,
    pub created_at: Millis,
    pub order_status: OrderStatus,
    /// It is the one try that may be captured.
    pub wins: bool,
}

/// The provider's own picture of a try.
#[derive(Clone, PartialEq, Debug)]
pub struct PaymentIntent {
    pub reference: String,
    pub status: PaymentIntentStatus,
    pub amount: Minor,
    pub currency: String,
    /// What we gave along, so that it can be found again.
    pub order: OrderId,
    pub attempt: i64,
    pub livemode: bool,
    pub captured: Minor,
    pub refunded: Minor,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentIntentStatus {
    NeedsAction,
    Declined,
    Authorized,
    Captured,
    Cancelled,
    /// It was authorized, and taking the money was refused.
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

/// What to do next with a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentStep {
    /// Write this status down; there is nothing else to do now.
    Record(PaymentStatus),
    /// Money is set aside and the order is held: win it, then take the money.
    Win,
    /// This try has won: take the money.
    Capture,
    /// The money is taken and the order does not know yet.
    MarkPaid,
    /// This try has won and can bring no money: the order ends, its units are on sale again.
    FailOrder,
    /// Somebody else won, or nobody can any more: let it go.
    Void,
    /// Money was taken although this try did not win. It cannot be; somebody must look.
    UnmatchedCapture,
}

impl Payment {
    pub fn create_key(&self) -> String {
        format!("pi:{}:{}", self.order, self.attempt)
    }

    /// One for all tries of an order: money is taken once.
    pub fn capture_key(&self) -> String {
        format!("cap:{}", self.order)
    }

    pub fn cancel_key(&self) -> String {
        format!("can:{}:{}", self.order, self.attempt)
    }

    /// Is this the picture of this try, and of the money we asked for?
    pub fn matches(&self, intent: &PaymentIntent, livemode: bool) -> bool {
        self.is_same_attempt(intent)
            && (intent.amount, intent.currency.as_str(), intent.livemode)
                == (self.amount, self.currency.as_str(), livemode)
    }

    fn is_same_attempt(&self, intent: &PaymentIntent) -> bool {
        (intent.order, intent.attempt) == (self.order, self.attempt)
    }

    /// What the provider's picture asks for. `None`: it knows of no such try, and will not hear of it any more.
    pub fn next_step(&self, reported: Option<&PaymentIntent>, livemode: bool) -> PaymentStep {
        let is_capturing = self.wins && self.order_status == OrderStatus::Capturing;
        let ended = if self.wins { PaymentStatus::Failed } else { PaymentStatus::Cancelled };
        // One that names another try is none of ours: not to take, and not to let go either.
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
        self.status.is_open() && self.order_status == OrderStatus::Held
    }
}

/// A refund under way or done. There is one for an order, and it is the whole amount.
#[derive(Clone, PartialEq, Debug)]
pub struct Refund {
    pub order: OrderId,
    pub n: i64,
    pub status: RefundStatus,
    pub amount: Minor,
    pub currency: String,
    /// The units go back on sale; else they are gone with the goods.
    pub restock: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefundStatus {
    Pending,
    Done,
    /// The provider refused; the order is still paid.
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
    fn the_next_step_follows_from_try_order_and_picture() {
        use OrderStatus::{Cancelled, Capturing, Expired, Held, Paid, Refunded};
        use PaymentStatus as P;
        let authorized = Some(PaymentIntentStatus::Authorized);
        for (status, order, wins, seen, step) in [
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
            let seen = seen.map(intent);
            assert_eq!(
                payment(status, order, wins).next_step(seen.as_ref(), false),
                step,
                "{status:?} {order:?} {wins} {seen:?}"
            );
        }
    }

    /// Whatever is seen, and whenever: no money is taken for a try that did not win or for another sum.
    #[test]
    fn money_is_taken_only_for_the_winner_and_only_as_asked() {
        let wrong: [fn(&mut PaymentIntent); 5] = [
            |seen| seen.amount += 1,
            |seen| seen.currency = "USD".into(),
            |seen| seen.order = OrderId::new(),
            |seen| seen.attempt = 1,
            |seen| seen.livemode = true,
        ];
        for order in OrderStatus::ALL {
            for (status, wins) in PaymentStatus::ALL.into_iter().flat_map(|status| [(status, true), (status, false)]) {
                for seen in PaymentIntentStatus::ALL {
                    let payment = payment(status, order, wins);
                    let step = payment.next_step(Some(&intent(seen)), false);
                    let taking = wins && order == OrderStatus::Capturing;
                    assert!(step != PaymentStep::Capture || (taking && seen == PaymentIntentStatus::Authorized));
                    assert!(step != PaymentStep::MarkPaid || (taking && seen == PaymentIntentStatus::Captured));
                    assert!(step != PaymentStep::Win || (order == OrderStatus::Held && status.is_open()));
                    for spoil in wrong {
                        let mut spoilt = intent(seen);
                        spoil(&mut spoilt);
                        let step = payment.next_step(Some(&spoilt), false);
                        assert!(
                            !matches!(step, PaymentStep::Win | PaymentStep::Capture | PaymentStep::MarkPaid),
                            "{payment:?} {spoilt:?}"
                        );
                        assert!(
                            step != PaymentStep::Void || payment.is_same_attempt(&spoilt),
                            "{payment:?} {spoilt:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_over_never_begins_again() {
        use PaymentStatus::*;
        for from in PaymentStatus::ALL.into_iter().filter(|status| !status.is_open()) {
            for to in [Creating, NeedsAction, Authorized] {
                assert!(!from.can_become(to), "{from:?} to {to:?}");
            }
        }
    }
}
