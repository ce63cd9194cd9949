//! The metrics of what waits: payments for the payment provider or for their buyers, and payments and refunds for their documents.

use std::sync::atomic::Ordering;

use super::metrics::load;
use crate::app::App;
use crate::metrics::MetricsPage;

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
