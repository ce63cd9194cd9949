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
    pub fn may_become(self, next: PaymentStatus) -> bool {
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
pub struct Intent {
    pub reference: String,
    pub status: IntentStatus,
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
pub enum IntentStatus {
    NeedsAction,
    Declined,
    Authorized,
    Captured,
    Cancelled,
    /// It was authorized, and taking the money was refused.
    Failed,
}

impl IntentStatus {
    pub const ALL: [IntentStatus; 6] = {
        use IntentStatus::*;
        [NeedsAction, Declined, Authorized, Captured, Cancelled, Failed]
    };

    pub fn name(self) -> &'static str {
        match self {
            IntentStatus::NeedsAction => "needs_action",
            IntentStatus::Declined => "declined",
            IntentStatus::Authorized => "authorized",
            IntentStatus::Captured => "captured",
            IntentStatus::Cancelled => "cancelled",
            IntentStatus::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// What to do next with a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write this status down; there is nothing else to do now.
    Note(PaymentStatus),
    /// Money is set aside and the order is held: win it, then take the money.
    Win,
    /// This try has won: take the money.
    Capture,
    /// The money is taken and the order does not know yet.
    Finish,
    /// This try has won and can bring no money: the order ends, its units are on sale again.
    Fail,
    /// Somebody else won, or nobody can any more: let it go.
    Void,
    /// Money was taken although this try did not win. It cannot be; somebody must look.
    Astray,
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
    pub fn is_of(&self, intent: &Intent, livemode: bool) -> bool {
        self.is_named_by(intent)
            && (intent.amount, intent.currency.as_str(), intent.livemode)
                == (self.amount, self.currency.as_str(), livemode)
    }

    fn is_named_by(&self, intent: &Intent) -> bool {
        (intent.order, intent.attempt) == (self.order, self.attempt)
    }

    /// What the provider's picture asks for. `None`: it knows of no such try, and will not hear of it any more.
    pub fn next(&self, seen: Option<&Intent>, livemode: bool) -> Step {
        let taking = self.wins && self.order_status == OrderStatus::Capturing;
        let ended = if self.wins { PaymentStatus::Failed } else { PaymentStatus::Cancelled };
        // One that names another try is none of ours: not to take, and not to let go either.
        let Some(intent) = seen.filter(|intent| self.is_named_by(intent)) else {
            return if taking { Step::Fail } else { Step::Note(ended) };
        };
        match intent.status {
            IntentStatus::Captured if !self.is_of(intent, livemode) => Step::Astray,
            _ if !self.is_of(intent, livemode) && taking => Step::Fail,
            IntentStatus::NeedsAction | IntentStatus::Authorized if !self.is_of(intent, livemode) => Step::Void,
            IntentStatus::NeedsAction if self.may_win() => Step::Note(PaymentStatus::NeedsAction),
            IntentStatus::Authorized if self.may_win() => Step::Win,
            IntentStatus::Authorized if taking => Step::Capture,
            IntentStatus::NeedsAction | IntentStatus::Authorized => Step::Void,
            IntentStatus::Captured if taking => Step::Finish,
            IntentStatus::Captured if self.wins && self.order_status.is_or_was_paid() => {
                Step::Note(PaymentStatus::Captured)
            }
            IntentStatus::Captured => Step::Astray,
            IntentStatus::Declined | IntentStatus::Cancelled | IntentStatus::Failed if taking => Step::Fail,
            IntentStatus::Declined => Step::Note(PaymentStatus::Declined),
            IntentStatus::Cancelled | IntentStatus::Failed => Step::Note(ended),
        }
    }

    fn may_win(&self) -> bool {
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
    pub fn key(&self) -> String {
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

    fn intent(status: IntentStatus) -> Intent {
        Intent {
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
        let authorized = Some(IntentStatus::Authorized);
        for (status, order, wins, seen, step) in [
            (P::Creating, Held, false, authorized, Step::Win),
            (P::NeedsAction, Held, false, authorized, Step::Win),
            (P::Creating, Held, false, Some(IntentStatus::NeedsAction), Step::Note(P::NeedsAction)),
            (P::Creating, Held, false, Some(IntentStatus::Declined), Step::Note(P::Declined)),
            (P::Creating, Held, false, None, Step::Note(P::Cancelled)),
            (P::Cancelled, Held, false, authorized, Step::Void),
            (P::Voiding, Held, false, authorized, Step::Void),
            (P::Creating, Expired, false, authorized, Step::Void),
            (P::Creating, Capturing, false, authorized, Step::Void),
            (P::NeedsAction, Paid, false, Some(IntentStatus::NeedsAction), Step::Void),
            (P::Authorized, Capturing, true, authorized, Step::Capture),
            (P::Authorized, Capturing, true, Some(IntentStatus::Captured), Step::Finish),
            (P::Authorized, Capturing, true, Some(IntentStatus::Failed), Step::Fail),
            (P::Authorized, Capturing, true, None, Step::Fail),
            (P::Authorized, Cancelled, true, authorized, Step::Void),
            (P::Voiding, Cancelled, true, Some(IntentStatus::Cancelled), Step::Note(P::Failed)),
            (P::Voiding, Expired, false, Some(IntentStatus::Cancelled), Step::Note(P::Cancelled)),
            (P::Captured, Refunded, true, Some(IntentStatus::Captured), Step::Note(P::Captured)),
            (P::Cancelled, Expired, false, Some(IntentStatus::Captured), Step::Astray),
        ] {
            let seen = seen.map(intent);
            assert_eq!(
                payment(status, order, wins).next(seen.as_ref(), false),
                step,
                "{status:?} {order:?} {wins} {seen:?}"
            );
        }
    }

    /// Whatever is seen, and whenever: no money is taken for a try that did not win or for another sum.
    #[test]
    fn money_is_taken_only_for_the_winner_and_only_as_asked() {
        let wrong: [fn(&mut Intent); 5] = [
            |seen| seen.amount += 1,
            |seen| seen.currency = "USD".into(),
            |seen| seen.order = OrderId::new(),
            |seen| seen.attempt = 1,
            |seen| seen.livemode = true,
        ];
        for order in OrderStatus::ALL {
            for (status, wins) in PaymentStatus::ALL.into_iter().flat_map(|status| [(status, true), (status, false)]) {
                for seen in IntentStatus::ALL {
                    let payment = payment(status, order, wins);
                    let step = payment.next(Some(&intent(seen)), false);
                    let taking = wins && order == OrderStatus::Capturing;
                    assert!(step != Step::Capture || (taking && seen == IntentStatus::Authorized));
                    assert!(step != Step::Finish || (taking && seen == IntentStatus::Captured));
                    assert!(step != Step::Win || (order == OrderStatus::Held && status.is_open()));
                    for spoil in wrong {
                        let mut spoilt = intent(seen);
                        spoil(&mut spoilt);
                        let step = payment.next(Some(&spoilt), false);
                        assert!(!matches!(step, Step::Win | Step::Capture | Step::Finish), "{payment:?} {spoilt:?}");
                        assert!(step != Step::Void || payment.is_named_by(&spoilt), "{payment:?} {spoilt:?}");
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
                assert!(!from.may_become(to), "{from:?} to {to:?}");
            }
        }
    }
}
