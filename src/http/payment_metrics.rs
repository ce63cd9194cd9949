//! The metrics of payments: what came of them, what waits for the payment provider, for buyers or for a document, and the outbox.

use std::sync::atomic::Ordering;

use super::metrics::load;
use crate::app::App;
use crate::metrics::MetricsPage;

/// What came of payments and refunds.
pub fn payments(page: &mut MetricsPage<'_>, app: &App) {
    let counters = app.counters();
    let results = &counters.pay_outcomes;
    page.labeled_counter("livesouk_payments_total", "Payments: paid, placed, replayed, or why not", "result", results);
    page.labeled_counter(
        "livesouk_refunds_total",
        "Refunds: refunded, replayed, or why not",
        "result",
        &counters.refund_outcomes,
    );
    if let Some(requests) = app.checkout.provider_calls() {
        page.labeled_counter(
            "livesouk_payment_provider_requests_total",
            "Requests to the payment provider; unknown: no answer in time",
            "result",
            &requests.outcomes,
        );
        page.durations(
            "livesouk_payment_provider_request_duration_seconds",
            "Duration of requests to the payment provider",
            &requests.duration,
        );
    }
    checks(page, app);
    disputes(page, app);
    outbox(page, app);
}

/// What later checks of payments and refunds found.
fn checks(page: &mut MetricsPage<'_>, app: &App) {
    let counters = app.counters();
    page.counter(
        "livesouk_unmatched_payments_total",
        "Checks of payments that the provider does not know as ours: compare with the payment provider",
        load(&counters.unmatched_payments),
    );
    page.gauge(
        "livesouk_owed_refunds",
        "Payments whose money was taken and is not for an order, and is not given back yet",
        load(&counters.owed_refunds) as f64,
    );
    page.counter(
        "livesouk_refunds_failed_later_total",
        "Looks at refunds that were done and have failed at the bank since",
        load(&counters.refunds_failed_later),
    );
    page.counter(
        "livesouk_payments_reconciled_total",
        "Unfinished payments and refunds that the reconciliation checked",
        load(&counters.reconciled),
    );
}

fn disputes(page: &mut MetricsPage<'_>, app: &App) {
    let counters = app.counters();
    page.counter("livesouk_payment_disputes_total", "Payments that buyers dispute", load(&counters.disputes));
    page.counter(
        "livesouk_payment_disputes_given_up_total",
        "Disputes that could not be read at the payment provider and are not asked for any more",
        load(&counters.disputes_given_up),
    );
    page.gauge(
        "livesouk_payment_disputes_to_close",
        "Disputes of the whole shop that were given up, and that nobody has closed in the desk",
        load(&counters.disputes_to_close) as f64,
    );
}

/// Events that leave the shop, and those that payment providers send.
fn outbox(page: &mut MetricsPage<'_>, app: &App) {
    let counters = app.counters();
    page.counter(
        "livesouk_outbox_unreadable_total",
        "Events of the outbox that were dropped because they cannot be read",
        load(&counters.outbox_unreadable),
    );
    page.labeled_counter("livesouk_webhooks_received_total", "Webhooks received", "result", &counters.webhook_outcomes);
    page.gauge(
        "livesouk_outbox_events",
        "Events in the outbox at the last check",
        load(&counters.outbox_pending) as f64,
    );
    let since = counters.outbox_oldest_at.load(Ordering::Relaxed);
    let age = if since == 0 { 0 } else { (app.now() - since).max(0) };
    page.gauge("livesouk_outbox_oldest_event_age_seconds", "Age of the oldest event in the outbox", age as f64 / 1e3);
    page.durations(
        "livesouk_outbox_delivery_delay_seconds",
        "From the write of an outbox event to its delivery",
        &counters.outbox_delay,
    );
}

/// They are there without a queue too, so that an alert knows them.
pub fn payment_queue(page: &mut MetricsPage<'_>, app: &App) {
    page.gauge(
        "livesouk_placed_orders_overdue",
        "Placed orders past their date that could not be cancelled",
        load(&app.counters().placed_orders_overdue) as f64,
    );
    let queue = app.checkout.queue.as_deref();
    page.gauge(
        "livesouk_payment_queue_length",
        "Payments of the whole shop that wait until the payment provider takes them",
        queue.map_or(0.0, |queue| queue.waiting.load(Ordering::Relaxed) as f64),
    );
    page.gauge(
        "livesouk_payment_queue_oldest_age_seconds",
        "How long the oldest payment of the queue has waited",
        queue.map_or(0.0, |queue| queue.oldest_wait_ms(app.now()) as f64 / 1_000.0),
    );
    page.gauge(
        "livesouk_payment_rate",
        "Requests a second that this node sends to one endpoint of the payment provider at most; 0: there is no queue",
        queue.map_or(0.0, |queue| queue.pacer.node_rate()),
    );
    page.counter(
        "livesouk_payment_requests_refused_total",
        "Requests that the payment provider refused because there were too many",
        queue.map_or(0, |queue| load(&queue.pacer.refused)),
    );
}

/// Invoices and credit notes that are to be made. Every node looks at the whole shop.
pub fn billing(page: &mut MetricsPage<'_>, app: &App) {
    let oldest_at = app.counters().billing_oldest_at.load(Ordering::Relaxed);
    page.gauge(
        "livesouk_billing_oldest_age_seconds",
        "How long the oldest payment or refund has waited for its invoice or credit note",
        if oldest_at == 0 { 0.0 } else { (app.now() - oldest_at).max(0) as f64 / 1_000.0 },
    );
}

/// Saved cards and buyers that the payment provider is to delete. Every node looks at the whole shop.
pub fn removals(page: &mut MetricsPage<'_>, app: &App) {
    let oldest_at = app.counters().oldest_removal_at.load(Ordering::Relaxed);
    page.gauge(
        "livesouk_saved_card_removals_oldest_age_seconds",
        "How long ago the oldest removal of a saved card or a buyer was asked for that the payment provider has not carried out",
        if oldest_at == 0 { 0.0 } else { (app.now() - oldest_at).max(0) as f64 / 1_000.0 },
    );
}
