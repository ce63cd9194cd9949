//! The calls for payments that are under way, for the events of their provider, and for the outbox that they fill.

use livesouk::domain::Payment;
use livesouk::store::PaymentEvent;
use uuid::Uuid;

use super::every_query::{Calls, call};

pub(super) async fn payment_queue(c: &Calls, payment: &Payment) {
    call!(c, extend_queued_holds("test", 2_000, 1_000));
    call!(c, extend_called_holds(2_000, 1_000));
    call!(c, extend_holds_of_orders(&[payment.order], 1_000));
    call!(c, take_due_payments("test", 10));
    call!(c, call_payment_again(payment));
    call!(c, payment_queue_length("test"));
    call!(c, payment_place(payment.order));
    call!(c, payment_places());
    call!(c, answered_payments(&[payment.order]));
    call!(c, payments_since("test", 1_000, None, 100));
    call!(c, payments_since("test", 1_000, Some((2_000, payment.order, 1)), 100));
    call!(c, count_payment_node(Uuid::now_v7()));
    call!(c, forget_payment_node(Uuid::now_v7()));
}

pub(super) async fn outbox(c: &Calls) {
    call!(c, outbox_events(100));
    call!(c, count_outbox_events());
    call!(c, delete_outbox_events(&[Uuid::now_v7()]));
}

pub(super) async fn events(c: &Calls, reference: &str) {
    let event = PaymentEvent {
        provider: "test".into(),
        event_id: "new".into(),
        kind: "x".into(),
        reference: Some(reference.to_owned()),
    };
    call!(c, insert_payment_events(std::slice::from_ref(&event)));
    call!(c, captured_references("test", &[reference, "pi_1"]));
    call!(c, pending_payment_events(i64::MAX, 1_000, 100));
    call!(c, claim_payment_event(&event, i64::MAX));
    call!(c, finish_payment_events("test", &[&event.event_id]));
    call!(c, prune_payment_events(1_000));
}
