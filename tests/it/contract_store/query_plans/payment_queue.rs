//! The calls for payments that are under way, and for the outbox that they fill.

use uuid::Uuid;

use super::every_query::{Calls, call};

pub(super) async fn holds(c: &Calls) {
    call!(c, extend_queued_holds(2_000, 1_000));
    call!(c, extend_called_holds(2_000, 1_000));
}

pub(super) async fn outbox(c: &Calls) {
    call!(c, outbox_events(100));
    call!(c, count_outbox_events());
    call!(c, delete_outbox_event(Uuid::now_v7()));
}
