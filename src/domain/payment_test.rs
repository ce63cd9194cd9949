//! The rule of a payment attempt, case by case.

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
        called_at: Some(0),
        is_sent_by_queue: false,
        order_status,
        wins,
        has_lost_lines: false,
        owed: None,
        card: Default::default(),
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
        fingerprint: None,
        method: None,
        action_url: None,
        authorises: true,
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
        (P::Cancelled, Held, false, authorized, PaymentStep::Void),
        (P::Voiding, Held, false, authorized, PaymentStep::Void),
        (P::Creating, Expired, false, authorized, PaymentStep::Void),
        (P::Creating, Capturing, false, authorized, PaymentStep::Void),
        (P::NeedsAction, Paid, false, Some(PaymentIntentStatus::NeedsAction), PaymentStep::Void),
        (P::Authorized, Capturing, true, authorized, PaymentStep::Capture),
        (P::Authorized, Capturing, true, Some(PaymentIntentStatus::Captured), PaymentStep::MarkPaid),
        (P::Authorized, Capturing, true, Some(PaymentIntentStatus::Failed), PaymentStep::FailOrder),
        (P::Authorized, Cancelled, true, Some(PaymentIntentStatus::Declined), PaymentStep::Record(P::Failed)),
        (P::Declined, Held, false, authorized, PaymentStep::Void),
        (P::Creating, Held, false, Some(PaymentIntentStatus::Working), PaymentStep::Wait),
        (P::Authorized, Cancelled, true, authorized, PaymentStep::Void),
        (P::Voiding, Cancelled, true, Some(PaymentIntentStatus::Cancelled), PaymentStep::Record(P::Failed)),
        (P::Voiding, Expired, false, Some(PaymentIntentStatus::Cancelled), PaymentStep::Record(P::Cancelled)),
        (P::Captured, Refunded, true, Some(PaymentIntentStatus::Captured), PaymentStep::Record(P::Captured)),
        (P::Cancelled, Expired, false, Some(PaymentIntentStatus::Captured), PaymentStep::Owe),
        (P::Captured, Paid, false, Some(PaymentIntentStatus::Captured), PaymentStep::Owe),
    ] {
        let reported = reported.map(intent);
        assert_eq!(
            payment(status, order, wins).next_step(reported.as_ref(), false, AttemptAge::Settled),
            step,
            "{status:?} {order:?} {wins} {reported:?}"
        );
    }
}

/// A provider that does not authorise takes the money before the order has won its units. It wins them if it still can; otherwise the
/// money is owed. Money that was taken by hand although the provider authorises is always owed.
#[test]
fn money_that_is_taken_at_once_wins_a_held_order_or_is_owed() {
    use OrderStatus::{Capturing, Expired, Held, Paid};
    use PaymentStatus as P;
    let taken = |authorises| PaymentIntent { authorises, captured: 4_900, ..intent(PaymentIntentStatus::Captured) };
    for (status, order, authorises, step) in [
        (P::Creating, Held, false, PaymentStep::Win),
        (P::NeedsAction, Held, false, PaymentStep::Win),
        (P::Creating, Held, true, PaymentStep::Owe),
        (P::Declined, Held, false, PaymentStep::Owe),
        (P::Voiding, Held, false, PaymentStep::Owe),
        (P::NeedsAction, Expired, false, PaymentStep::Owe),
        (P::NeedsAction, Capturing, false, PaymentStep::Owe),
        (P::NeedsAction, Paid, false, PaymentStep::Owe),
    ] {
        let step_now = payment(status, order, false).next_step(Some(&taken(authorises)), false, AttemptAge::Young);
        assert_eq!(step_now, step, "{status:?} {order:?} {authorises}");
    }
    let wrong: [fn(&mut PaymentIntent); 4] = [
        |intent| intent.captured = 4_899,
        |intent| intent.refunded = 1,
        |intent| intent.currency = "USD".into(),
        |intent| intent.livemode = true,
    ];
    for change in wrong {
        let mut changed = taken(false);
        change(&mut changed);
        let step = payment(P::Creating, Held, false).next_step(Some(&changed), false, AttemptAge::Young);
        assert_eq!(step, PaymentStep::Owe, "{changed:?}");
    }
    let lost = Payment { has_lost_lines: true, ..payment(P::NeedsAction, Held, false) };
    assert_eq!(lost.next_step(Some(&taken(false)), false, AttemptAge::Young), PaymentStep::Owe);
    let winner = payment(P::Authorized, Capturing, true);
    assert_eq!(winner.next_step(Some(&taken(false)), false, AttemptAge::Young), PaymentStep::MarkPaid);
}

/// A request may still be on its way, and an order whose provider forgot it may be paid.
#[test]
fn missing_intent_ends_an_attempt_only_when_none_can_exist() {
    use OrderStatus::{Capturing, Held};
    use PaymentStatus as P;
    let other = PaymentIntent { attempt: 1, ..intent(PaymentIntentStatus::Authorized) };
    for (reference, reported, age, step) in [
        (None, None, AttemptAge::Young, PaymentStep::Wait),
        (None, None, AttemptAge::Settled, PaymentStep::Record(P::Cancelled)),
        (Some("r"), None, AttemptAge::Young, PaymentStep::Unexplained),
        (Some("r"), None, AttemptAge::Settled, PaymentStep::Unexplained),
        (Some("r"), Some(&other), AttemptAge::Settled, PaymentStep::Unexplained),
        (Some("r"), None, AttemptAge::Lapsed, PaymentStep::Record(P::Cancelled)),
        (Some("r"), Some(&other), AttemptAge::Lapsed, PaymentStep::Record(P::Cancelled)),
    ] {
        let attempt = Payment { reference: reference.map(str::to_owned), ..payment(P::Creating, Held, false) };
        assert_eq!(attempt.next_step(reported, false, age), step, "{reference:?} {reported:?} {age:?}");
        let winner = Payment { reference: Some("r".to_owned()), ..payment(P::Authorized, Capturing, true) };
        let step = if age == AttemptAge::Lapsed { PaymentStep::FailOrder } else { PaymentStep::Unexplained };
        assert_eq!(winner.next_step(reported, false, age), step, "{reported:?} {age:?}");
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
                let step = payment.next_step(Some(&intent(reported)), false, AttemptAge::Settled);
                let taking = wins && order == OrderStatus::Capturing;
                assert!(step != PaymentStep::Capture || (taking && reported == PaymentIntentStatus::Authorized));
                assert!(step != PaymentStep::MarkPaid || (taking && reported == PaymentIntentStatus::Captured));
                assert!(step != PaymentStep::Win || (order == OrderStatus::Held && status.is_open()));
                for change in wrong {
                    let mut changed = intent(reported);
                    change(&mut changed);
                    let step = payment.next_step(Some(&changed), false, AttemptAge::Settled);
                    assert!(
                        !matches!(step, PaymentStep::Win | PaymentStep::Capture | PaymentStep::MarkPaid),
                        "{payment:?} {changed:?}"
                    );
                    assert!(step != PaymentStep::Void || payment.is_same_attempt(&changed), "{payment:?} {changed:?}");
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
