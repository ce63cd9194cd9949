//! Scenarios of the built-in test provider. The token with which a buyer pays is the name of a scenario.

use super::payment::{PaymentIntent, PaymentIntentStatus};
use super::{Minor, Refusal};

/// The behaviour of the test provider for one payment intent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestScenario {
    /// Authorization, capture and refund succeed.
    Ok,
    /// The card is declined; the order stays held.
    Declined,
    /// The buyer must first confirm on a page of the provider.
    NeedsAction,
    /// The response to the authorization takes two seconds.
    Slow,
    /// Every call succeeds, and the first response to each call never arrives.
    TimeoutAfterCharge,
    /// Every call succeeds, and the first response to each call is an HTTP 500 of the provider.
    ErrorAfterCharge,
    /// Every webhook is sent twice.
    WebhookTwice,
    /// The webhook of a call arrives before the response.
    WebhookBeforeReply,
    /// No webhooks are sent.
    WebhookNever,
    /// The webhook of the authorization arrives after the webhook of the next call.
    WebhookReordered,
    /// The first cancel is refused because the provider is still working on the intent; a later cancel succeeds.
    CancelTooLate,
    /// The authorization succeeds, and the capture fails.
    CaptureFails,
    /// The provider authorizes another amount than the requested one.
    WrongAmount,
    /// Webhooks are signed with the wrong key.
    BadSignature,
    /// The capture succeeds, and a refund is refused.
    RefundFails,
}

/// A change of an existing intent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntentChange {
    /// The buyer confirms the payment, or refuses it.
    Approve(bool),
    Capture,
    Cancel,
    Refund(Minor),
}

/// Why a change was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntentChangeError {
    /// The same idempotency key always gets the same error.
    Permanent(&'static str),
    /// The same idempotency key may try again.
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

    /// The payment token that selects this scenario.
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
        let found = Self::ALL.into_iter().find(|scenario| scenario.name() == token);
        let known = || Self::ALL.map(TestScenario::name).join(", ");
        found.ok_or_else(|| {
            Refusal::bad_field("token", format!("must be one that the test provider knows: {}.", known()))
        })
    }

    /// The status of a new intent.
    pub fn initial_status(self) -> PaymentIntentStatus {
        match self {
            TestScenario::Declined => PaymentIntentStatus::Declined,
            TestScenario::NeedsAction => PaymentIntentStatus::NeedsAction,
            _ => PaymentIntentStatus::Authorized,
        }
    }

    /// The amount that the provider authorizes.
    pub fn authorized_amount(self, requested: Minor) -> Minor {
        if self == TestScenario::WrongAmount { requested + 1 } else { requested }
    }

    /// Changes an intent like a real provider: no capture after a cancel, no second refund of the same money.
    /// `is_retry`: the same idempotency key got [`IntentChangeError::Temporary`].
    pub fn apply(
        self,
        intent: &mut PaymentIntent,
        change: IntentChange,
        is_retry: bool,
    ) -> Result<(), IntentChangeError> {
        use PaymentIntentStatus::*;
        match (change, intent.status) {
            (IntentChange::Approve(yes), NeedsAction) => intent.status = if yes { Authorized } else { Declined },
            (IntentChange::Approve(_), _) => {
                return Err(IntentChangeError::Permanent("This intent does not need a confirmation."));
            }
            (IntentChange::Capture, Authorized) if self == TestScenario::CaptureFails => {
                intent.status = Failed;
                return Err(IntentChangeError::Permanent("The card was declined."));
            }
            (IntentChange::Capture, Authorized) => {
                intent.status = Captured;
                intent.captured = intent.amount;
            }
            (IntentChange::Capture, _) => return Err(IntentChangeError::Permanent("This intent is not authorized.")),
            (IntentChange::Cancel, NeedsAction | Authorized) if self == TestScenario::CancelTooLate && !is_retry => {
                return Err(IntentChangeError::Temporary);
            }
            (IntentChange::Cancel, NeedsAction | Authorized) => intent.status = Cancelled,
            (IntentChange::Cancel, _) => {
                return Err(IntentChangeError::Permanent("This intent has nothing to cancel."));
            }
            (IntentChange::Refund(_), Captured) if self == TestScenario::RefundFails => {
                return Err(IntentChangeError::Permanent("The card does not accept refunds."));
            }
            (IntentChange::Refund(amount), Captured) if 0 < amount && intent.refunded + amount <= intent.captured => {
                intent.refunded += amount;
            }
            (IntentChange::Refund(_), _) => {
                return Err(IntentChangeError::Permanent("The refund is larger than the captured amount."));
            }
        }
        Ok(())
    }
}

impl IntentChange {
    /// The change as text. It is compared on a retry: the same idempotency key with another change is the caller's mistake.
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
            fingerprint: None,
            method: None,
            action_url: None,
            authorises: true,
            livemode: false,
            captured,
            refunded: 0,
        }
    }

    #[test]
    fn scenario_is_parsed_from_its_token() {
        for scenario in TestScenario::ALL {
            assert_eq!(TestScenario::parse(scenario.name()), Ok(scenario));
        }
        assert_eq!(TestScenario::parse("free").map_err(|refusal| refusal.code()), Err("bad_request"));
    }

    #[test]
    fn no_capture_after_cancel_and_no_refund_twice() {
        let mut cancelled = intent(PaymentIntentStatus::Authorized, 0);
        assert_eq!(TestScenario::Ok.apply(&mut cancelled, IntentChange::Cancel, false), Ok(()));
        assert!(TestScenario::Ok.apply(&mut cancelled, IntentChange::Capture, false).is_err());
        assert_eq!(cancelled.captured, 0);
        let mut captured = intent(PaymentIntentStatus::Authorized, 0);
        assert_eq!(TestScenario::Ok.apply(&mut captured, IntentChange::Capture, false), Ok(()));
        assert!(TestScenario::Ok.apply(&mut captured, IntentChange::Cancel, false).is_err());
        for (amount, done) in [(0, false), (101, false), (-1, false), (60, true), (41, false), (40, true), (1, false)] {
            assert_eq!(
                TestScenario::Ok.apply(&mut captured, IntentChange::Refund(amount), false).is_ok(),
                done,
                "{amount}"
            );
        }
        assert_eq!((captured.captured, captured.refunded), (100, 100));
    }

    #[test]
    fn cancel_that_came_too_late_succeeds_on_retry() {
        let mut intent = intent(PaymentIntentStatus::Authorized, 0);
        let mut cancel = |is_retry| TestScenario::CancelTooLate.apply(&mut intent, IntentChange::Cancel, is_retry);
        assert_eq!(cancel(false), Err(IntentChangeError::Temporary));
        assert_eq!(cancel(true), Ok(()));
    }
}
