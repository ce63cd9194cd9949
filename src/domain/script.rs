//! What the test provider does: the token a buyer pays with is the name of a script.

use super::payment::{Intent, IntentStatus};
use super::{Minor, Refusal};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Script {
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
    FaultAfterCharge,
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
pub enum Change {
    /// The buyer approves (or not) what needs their action.
    Approve(bool),
    Capture,
    Cancel,
    Refund(Minor),
}

/// Why a change is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// For good; the same key is told the same.
    Final(&'static str),
    /// Now; the same key may ask again.
    Later,
}

impl Script {
    pub const ALL: [Script; 15] = {
        use Script::*;
        [
            Ok,
            Declined,
            NeedsAction,
            Slow,
            TimeoutAfterCharge,
            FaultAfterCharge,
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
            Script::Ok => "ok",
            Script::Declined => "declined",
            Script::NeedsAction => "needs_action",
            Script::Slow => "slow",
            Script::TimeoutAfterCharge => "timeout_after_charge",
            Script::FaultAfterCharge => "500_after_charge",
            Script::WebhookTwice => "webhook_twice",
            Script::WebhookBeforeReply => "webhook_before_reply",
            Script::WebhookNever => "webhook_never",
            Script::WebhookReordered => "webhook_reordered",
            Script::CancelTooLate => "cancel_too_late",
            Script::CaptureFails => "capture_fails",
            Script::WrongAmount => "wrong_amount",
            Script::BadSignature => "bad_signature",
            Script::RefundFails => "refund_fails",
        }
    }

    pub fn parse(token: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|script| script.name() == token);
        let known = || Self::ALL.map(Script::name).join(", ");
        found.ok_or_else(|| Refusal::bad_request(format!("the test provider knows the tokens {}", known())))
    }

    /// How an intent begins.
    pub fn begins(self) -> IntentStatus {
        match self {
            Script::Declined => IntentStatus::Declined,
            Script::NeedsAction => IntentStatus::NeedsAction,
            _ => IntentStatus::Authorized,
        }
    }

    pub fn sets_aside(self, asked: Minor) -> Minor {
        if self == Script::WrongAmount { asked + 1 } else { asked }
    }

    /// Changes an intent as a careful provider would: nothing is captured after a cancel, nothing refunded twice.
    /// `again`: this key asked before and was told [`Denied::Later`].
    pub fn change(self, intent: &mut Intent, change: Change, again: bool) -> Result<(), Denied> {
        use IntentStatus::*;
        match (change, intent.status) {
            (Change::Approve(yes), NeedsAction) => intent.status = if yes { Authorized } else { Declined },
            (Change::Approve(_), _) => return Err(Denied::Final("there is nothing to approve")),
            (Change::Capture, Authorized) if self == Script::CaptureFails => {
                intent.status = Failed;
                return Err(Denied::Final("the card was refused"));
            }
            (Change::Capture, Authorized) => {
                intent.status = Captured;
                intent.captured = intent.amount;
            }
            (Change::Capture, _) => return Err(Denied::Final("it is not authorized")),
            (Change::Cancel, NeedsAction | Authorized) if self == Script::CancelTooLate && !again => {
                return Err(Denied::Later);
            }
            (Change::Cancel, NeedsAction | Authorized) => intent.status = Cancelled,
            (Change::Cancel, _) => return Err(Denied::Final("there is nothing to let go")),
            (Change::Refund(_), Captured) if self == Script::RefundFails => {
                return Err(Denied::Final("the card takes no refunds"));
            }
            (Change::Refund(amount), Captured) if 0 < amount && intent.refunded + amount <= intent.captured => {
                intent.refunded += amount;
            }
            (Change::Refund(_), _) => return Err(Denied::Final("more than was captured")),
        }
        Ok(())
    }
}

impl Change {
    /// The call in words: the same key with other words is a mistake of the caller's.
    pub fn words(self) -> String {
        match self {
            Change::Approve(yes) => format!("approve {yes}"),
            Change::Capture => "capture".to_owned(),
            Change::Cancel => "cancel".to_owned(),
            Change::Refund(amount) => format!("refund {amount}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OrderId;

    fn intent(status: IntentStatus, captured: Minor) -> Intent {
        Intent {
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
        for script in Script::ALL {
            assert_eq!(Script::parse(script.name()), Ok(script));
        }
        assert_eq!(Script::parse("free").map_err(|refusal| refusal.code()), Err("bad_request"));
    }

    #[test]
    fn nothing_is_captured_after_a_cancel_and_nothing_refunded_twice() {
        let mut gone = intent(IntentStatus::Authorized, 0);
        assert_eq!(Script::Ok.change(&mut gone, Change::Cancel, false), Ok(()));
        assert!(Script::Ok.change(&mut gone, Change::Capture, false).is_err());
        assert_eq!(gone.captured, 0);
        let mut taken = intent(IntentStatus::Authorized, 0);
        assert_eq!(Script::Ok.change(&mut taken, Change::Capture, false), Ok(()));
        assert!(Script::Ok.change(&mut taken, Change::Cancel, false).is_err());
        for (amount, done) in [(0, false), (101, false), (-1, false), (60, true), (41, false), (40, true), (1, false)] {
            assert_eq!(Script::Ok.change(&mut taken, Change::Refund(amount), false).is_ok(), done, "{amount}");
        }
        assert_eq!((taken.captured, taken.refunded), (100, 100));
    }

    #[test]
    fn a_void_that_came_too_late_is_done_when_it_is_asked_for_again() {
        let mut intent = intent(IntentStatus::Authorized, 0);
        let mut cancel = |again| Script::CancelTooLate.change(&mut intent, Change::Cancel, again);
        assert_eq!(cancel(false), Err(Denied::Later));
        assert_eq!(cancel(true), Ok(()));
    }
}
