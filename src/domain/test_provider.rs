//! What the test provider does: the token a buyer pays with is the name of a script.

use super::payment::{PaymentIntent, PaymentIntentStatus};
use super::{Minor, Refusal};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestScenario {
    /// Authorized at once, captured, refunded.
    Ok,
    /// The card is refused; the order stays held.
    Declined,
    /// The buyer must approve at the provider first.
    NeedsAction,
    /// The answer to the authorization takes two seconds.
    Slow,
    /// Everything is done, and the first answer to each call never comes.
    TimeoutAfterCharge,
    /// Everything is done, and the first answer to each call is an error of the provider's server.
    ErrorAfterCharge,
    /// Every webhook comes twice.
    WebhookTwice,
    /// The webhook of a call comes before its answer.
    WebhookBeforeReply,
    /// No webhooks.
    WebhookNever,
    /// The webhook of the authorization comes after the one of what followed it.
    WebhookReordered,
    /// The first void is refused, the provider is still at work on it; a later one is done.
    CancelTooLate,
    /// Authorized, and then the money cannot be taken.
    CaptureFails,
    /// The provider sets aside another sum than it was asked for.
    WrongAmount,
    /// Webhooks are signed with a key that is not ours.
    BadSignature,
    /// Captured, and a refund is refused.
    RefundFails,
}

/// What is asked of an intent that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntentChange {
    /// The buyer approves (or not) what needs their action.
    Approve(bool),
    Capture,
    Cancel,
    Refund(Minor),
}

/// Why a change is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntentChangeError {
    /// For good; the same key is told the same.
    Permanent(&'static str),
    /// Now; the same key may ask again.
    Temporary,
}

impl TestScenario {
    pub const ALL: [TestScenario; 15] = {
        use TestScenario::*;
        [
            Ok,
            Declined,
            NeedsAction,
            Slow,
            TimeoutAfterCharge,
            ErrorAfterCharge,
            WebhookTwice,
            WebhookBeforeReply,
            WebhookNever,
            WebhookReordered,
            CancelTooLate,
            CaptureFails,
            WrongAmount,
            BadSignature,
            RefundFails,
        ]
    };

    /// The token.
    pub fn name(self) -> &'static str {
        match self {
            TestScenario::Ok => "ok",
            TestScenario::Declined => "declined",
            TestScenario::NeedsAction => "needs_action",
            TestScenario::Slow => "slow",
            TestScenario::TimeoutAfterCharge => "timeout_after_charge",
            TestScenario::ErrorAfterCharge => "500_after_charge",
            TestScenario::WebhookTwice => "webhook_twice",
            TestScenario::WebhookBeforeReply => "webhook_before_reply",
            TestScenario::WebhookNever => "webhook_never",
            TestScenario::WebhookReordered => "webhook_reordered",
            TestScenario::CancelTooLate => "cancel_too_late",
            TestScenario::CaptureFails => "capture_fails",
            TestScenario::WrongAmount => "wrong_amount",
            TestScenario::BadSignature => "bad_signature",
            TestScenario::RefundFails => "refund_fails",
        }
    }

    pub fn parse(token: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|script| script.name() == token);
        let known = || Self::ALL.map(TestScenario::name).join(", ");
        found.ok_or_else(|| Refusal::bad_request(format!("the test provider knows the tokens {}", known())))
    }

    /// How an intent begins.
    pub fn initial_status(self) -> PaymentIntentStatus {
        match self {
            TestScenario::Declined => PaymentIntentStatus::Declined,
            TestScenario::NeedsAction => PaymentIntentStatus::NeedsAction,
            _ => PaymentIntentStatus::Authorized,
        }
    }

    pub fn authorized_amount(self, requested: Minor) -> Minor {
        if self == TestScenario::WrongAmount { requested + 1 } else { requested }
    }

    /// Changes an intent as a careful provider would: nothing is captured after a cancel, nothing refunded twice.
    /// `again`: this key asked before and was told [`Denied::Later`].
    pub fn apply(
        self,
        intent: &mut PaymentIntent,
        change: IntentChange,
        is_retry: bool,
    ) -> Result<(), IntentChangeError> {
        use PaymentIntentStatus::*;
        match (change, intent.status) {
            (IntentChange::Approve(yes), NeedsAction) => intent.status = if yes { Authorized } else { Declined },
            (IntentChange::Approve(_), _) => return Err(IntentChangeError::Permanent("there is nothing to approve")),
            (IntentChange::Capture, Authorized) if self == TestScenario::CaptureFails => {
                intent.status = Failed;
                return Err(IntentChangeError::Permanent("the card was refused"));
            }
            (IntentChange::Capture, Authorized) => {
                intent.status = Captured;
                intent.captured = intent.amount;
            }
            (IntentChange::Capture, _) => return Err(IntentChangeError::Permanent("it is not authorized")),
            (IntentChange::Cancel, NeedsAction | Authorized) if self == TestScenario::CancelTooLate && !is_retry => {
                return Err(IntentChangeError::Temporary);
            }
            (IntentChange::Cancel, NeedsAction | Authorized) => intent.status = Cancelled,
            (IntentChange::Cancel, _) => return Err(IntentChangeError::Permanent("there is nothing to let go")),
            (IntentChange::Refund(_), Captured) if self == TestScenario::RefundFails => {
                return Err(IntentChangeError::Permanent("the card takes no refunds"));
            }
            (IntentChange::Refund(amount), Captured) if 0 < amount && intent.refunded + amount <= intent.captured => {
                intent.refunded += amount;
            }
            (IntentChange::Refund(_), _) => return Err(IntentChangeError::Permanent("more than was captured")),
        }
        Ok(())
    }
}

impl IntentChange {
    /// The call in words: the same key with other words is a mistake of the caller's.
    pub fn describe(self) -> String {
        match self {
            IntentChange::Approve(yes) => format!("approve {yes}"),
            IntentChange::Capture => "capture".to_owned(),
            IntentChange::Cancel => "cancel".to_owned(),
            IntentChange::Refund(amount) => format!("refund {amount}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OrderId;

    fn intent(status: PaymentIntentStatus, captured: Minor) -> PaymentIntent {
        PaymentIntent {
            reference: "r".into(),
            status,
            amount: 100,
            currency: "SAR".into(),
            order: OrderId::new(),
            attempt: 1,
            livemode: false,
            captured,
            refunded: 0,
        }
    }

    #[test]
    fn tokens_are_found_by_their_names() {
        for script in TestScenario::ALL {
            assert_eq!(TestScenario::parse(script.name()), Ok(script));
        }
        assert_eq!(TestScenario::parse("free").map_err(|refusal| refusal.code()), Err("bad_request"));
    }

    #[test]
    fn nothing_is_captured_after_a_cancel_and_nothing_refunded_twice() {
        let mut gone = intent(PaymentIntentStatus::Authorized, 0);
        assert_eq!(TestScenario::Ok.apply(&mut gone, IntentChange::Cancel, false), Ok(()));
        assert!(TestScenario::Ok.apply(&mut gone, IntentChange::Capture, false).is_err());
        assert_eq!(gone.captured, 0);
        let mut taken = intent(PaymentIntentStatus::Authorized, 0);
        assert_eq!(TestScenario::Ok.apply(&mut taken, IntentChange::Capture, false), Ok(()));
        assert!(TestScenario::Ok.apply(&mut taken, IntentChange::Cancel, false).is_err());
        for (amount, done) in [(0, false), (101, false), (-1, false), (60, true), (41, false), (40, true), (1, false)] {
            assert_eq!(
                TestScenario::Ok.apply(&mut taken, IntentChange::Refund(amount), false).is_ok(),
                done,
                "{amount}"
            );
        }
        assert_eq!((taken.captured, taken.refunded), (100, 100));
    }

    #[test]
    fn a_void_that_came_too_late_is_done_when_it_is_asked_for_again() {
        let mut intent = intent(PaymentIntentStatus::Authorized, 0);
        let mut cancel = |again| TestScenario::CancelTooLate.apply(&mut intent, IntentChange::Cancel, again);
        assert_eq!(cancel(false), Err(IntentChangeError::Temporary));
        assert_eq!(cancel(true), Ok(()));
    }
}
