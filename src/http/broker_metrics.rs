//! The metrics of the broker. Without Redis all of these are 0.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::metrics::load;
use crate::app::App;
use crate::metrics::MetricsPage;

const MICROSECOND: f64 = 1e-6;

pub fn broker(page: &mut MetricsPage<'_>, app: &App) {
    links(page, app);
    appends(page, app);
    messages(page, app);
}

/// The connections to the shards.
fn links(page: &mut MetricsPage<'_>, app: &App) {
    let broker = app.broker_metrics();
    let number = |number: &AtomicUsize| number.load(Ordering::Relaxed) as f64;
    page.gauge(
        "livesouk_broker_shards",
        "Redis servers, or partitions of a Redis cluster, between the nodes",
        number(&broker.shards),
    );
    page.gauge("livesouk_broker_shards_up", "Shards that this node is connected to", number(&broker.shards_up));
    page.gauge("livesouk_broker_subscriptions", "Shows that this node is subscribed to", number(&broker.subscriptions));
    page.gauge(
        "livesouk_broker_unsubscribed_streams",
        "Shows with a room here whose subscription is missing; they hear nothing from other nodes",
        app.unsubscribed_streams() as f64,
    );
    let lag = &broker.heartbeat_latency;
    page.scaled_histogram(
        "livesouk_broker_heartbeat_lag_seconds",
        "From the publishing of a heartbeat to its arrival, once a second",
        MICROSECOND,
        lag.buckets(),
        lag.sum(),
    );
    page.counter(
        "livesouk_broker_reconnects_total",
        "Connections to the broker that failed and were rebuilt",
        load(&broker.link_failures),
    );
    let reconnect = &broker.reconnect_time;
    page.scaled_histogram(
        "livesouk_broker_reconnect_duration_seconds",
        "From the failure of a connection until all its subscriptions are restored",
        MICROSECOND,
        reconnect.buckets(),
        reconnect.sum(),
    );
}

/// The calls that number events.
fn appends(page: &mut MetricsPage<'_>, app: &App) {
    let broker = app.broker_metrics();
    let (size, duration) = (&broker.batch_size, &broker.batch_time);
    page.scaled_histogram(
        "livesouk_broker_append_batch_size",
        "Events in one append call, which numbers them",
        1.0,
        size.buckets(),
        size.sum(),
    );
    page.scaled_histogram(
        "livesouk_broker_append_duration_seconds",
        "Duration of an append call with all its attempts",
        MICROSECOND,
        duration.buckets(),
        duration.sum(),
    );
}

/// What was retried, received, missed and published.
fn messages(page: &mut MetricsPage<'_>, app: &App) {
    let broker = app.broker_metrics();
    for (name, help, counter) in [
        ("livesouk_broker_append_retries_total", "Append calls retried after a failure", &broker.batches_retried),
        (
            "livesouk_broker_append_failures_total",
            "Append calls that failed: their senders got the refusal busy",
            &broker.batches_failed,
        ),
        (
            "livesouk_broker_appends_undelivered_total",
            "Append calls that reached no subscriber although this node is subscribed",
            &broker.batches_without_receiver,
        ),
        ("livesouk_broker_batches_received_total", "Batches received", &broker.batches_received),
        ("livesouk_broker_history_calls_total", "Calls that read the history of a show", &broker.history_calls),
        ("livesouk_broker_late_batches_total", "Batches of an ended epoch, ignored", &broker.late_batches),
        ("livesouk_broker_holes_total", "Holes in the sequence of received events", &broker.holes),
        (
            "livesouk_broker_holes_filled_total",
            "Holes filled from the history before viewers noticed them",
            &broker.holes_filled,
        ),
        (
            "livesouk_broker_resyncs_total",
            "Holes that could not be filled: their rooms were resynced",
            &broker.restarts,
        ),
        (
            "livesouk_broker_messages_dropped_total",
            "Messages dropped because a queue of this node was full",
            &broker.messages_dropped,
        ),
        ("livesouk_broker_publish_calls_total", "Calls that published state values and orders", &broker.publications),
        (
            "livesouk_broker_published_messages_total",
            "State values and orders in these calls",
            &broker.publication_messages,
        ),
    ] {
        page.counter(name, help, load(counter));
    }
}
