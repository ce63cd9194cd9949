//! `/metrics`: the metrics of this node in the OpenMetrics text format, for Prometheus. Each part of the server counts for itself,
//! and this page reads the counters. `docs/operate.md` explains the metrics.
//!
//! The sales figures of a shop are confidential. So the page needs a token with the permission to see them, or it is requested on
//! the separate address `--metrics-listen`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::routing::get;

use super::error::ApiResult;
use super::extract::Caller;
use super::{AppState, connection_metrics, import_metrics, mail_metrics, ops, payment_metrics, picture_metrics};
use crate::app::App;
use crate::domain::Permission;
use crate::metrics::{METRICS_CONTENT_TYPE, MetricsPage, ProcessMetrics, encode_page};

type MetricsResponse = ([(HeaderName, &'static str); 1], String);

/// The page for users who may see the sales figures. In the demo everybody may see it.
pub async fn authorized(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<MetricsResponse> {
    if !state.app.settings().is_dev_login_enabled {
        state.app.stream_cache.authorize_in_shop(&actor, Permission::ViewReports).await?;
    }
    Ok(unrestricted(State(state)).await)
}

/// The routes of `--metrics-listen`.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/metrics", get(unrestricted))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .fallback(ops::not_found)
        .with_state(state)
}

async fn unrestricted(State(state): State<AppState>) -> MetricsResponse {
    let process = tokio::task::spawn_blocking(ProcessMetrics::read).await.ok().flatten();
    let page = encode_page(move |page| {
        node(page, &state);
        rooms(page, &state.app);
        connection_metrics::connections(page, &state);
        chat(page, &state.app);
        purchases(page, &state.app);
        payments(page, &state.app);
        payment_metrics::payment_queue(page, &state.app);
        payment_metrics::billing(page, &state.app);
        payment_metrics::removals(page, &state.app);
        picture_metrics::pictures(page, &state.app);
        import_metrics::imports(page, &state.app);
        mail_metrics::mails(page, &state.app);
        broker(page, &state.app);
        background_jobs(page, &state.app);
        connection_metrics::tokens(page, &state);
        database(page, &state.app);
        if let Some(process) = process {
            process.write(page);
        }
    });
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], page)
}

pub(super) fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn node(page: &mut MetricsPage<'_>, state: &AppState) {
    page.gauges("livesouk_build_info", "Always 1; the labels are the version and the commit")
        .add(&[("version", env!("CARGO_PKG_VERSION")), ("commit", crate::config::COMMIT)], 1.0);
    let stopping = f64::from(u8::from(state.app.is_draining()));
    page.gauge("livesouk_stopping", "1 after shutdown has begun", stopping);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    page.gauge("livesouk_tokio_tasks", "Tasks of the tokio runtime; a viewer is about one", tasks as f64);
}

fn rooms(page: &mut MetricsPage<'_>, app: &App) {
    let (now, counters) = (app.rooms().load(), &app.rooms().counters);
    page.gauge("livesouk_rooms", "Shows with a room on this node", now.rooms as f64);
    page.gauge("livesouk_viewers", "Viewers on this node; each session counts once", now.viewers as f64);
    page.gauge(
        "livesouk_websocket_connections",
        "Open WebSocket connections of viewers, hosts and overlays",
        now.connections as f64,
    );
    page.gauge("livesouk_room_inbox_events", "Events queued for rooms, in all rooms", now.queued_events as f64);
    page.gauge(
        "livesouk_room_inbox_events_largest",
        "Events queued for the room with the longest queue; above 4096 its oldest messages are dropped",
        now.queued_events_max as f64,
    );
    page.counter(
        "livesouk_room_events_dropped_total",
        "Events dropped because their room was behind; its viewers got a snapshot",
        load(&counters.dropped_events),
    );

    page.counter(
        "livesouk_frames_encoded_total",
        "Frames encoded, once for all viewers of a room",
        load(&counters.frames),
    );
    page.counter("livesouk_socket_writes_total", "Writes to sockets of viewers", load(&counters.sends));
    page.counter("livesouk_socket_written_bytes_total", "Bytes written to sockets", load(&counters.sent_bytes));
    page.counter(
        "livesouk_socket_writes_blocked_total",
        "Writes that found the send buffer of the socket full",
        load(&counters.blocked_writes),
    );
    page.counter(
        "livesouk_frames_compressed_total",
        "Frames compressed, once for all viewers of a room",
        load(&counters.deflated_frames),
    );
    page.counter_values(
        "livesouk_compression_bytes_total",
        "Bytes before and after compression",
        "side",
        [("input", load(&counters.deflate_bytes_in)), ("output", load(&counters.deflate_bytes_out))],
    );
    page.durations(
        "livesouk_broadcast_duration_seconds",
        "Duration of one broadcast to all viewers of a room",
        &counters.broadcast_times,
    );
    page.durations(
        "livesouk_event_delivery_duration_seconds",
        "From the arrival of the oldest event of a frame in the room to the end of its broadcast",
        &counters.delivery_times,
    );
    page.counter_values(
        "livesouk_video_faults_total",
        "Faults of the video that viewers reported, by kind",
        "kind",
        counters.video_faults.all().map(|(kind, number)| (kind.name(), number)),
    );
    page.counter_values(
        "livesouk_room_joins_total",
        "Joins; yes or no: whether a viewer who came back got all missed events; new: the first join",
        "recovered",
        [("yes", load(&counters.resumed)), ("no", load(&counters.unrecovered)), ("new", load(&counters.first_joins))],
    );
    page.counter(
        "livesouk_room_joins_recovered_from_history_total",
        "Joins that were recovered with the history of the broker",
        load(&counters.resumed_from_history),
    );
    page.counter_values(
        "livesouk_room_resyncs_total",
        "Times a room lost continuity and sent a snapshot to all viewers",
        "reason",
        [("hole", load(&counters.holes)), ("epoch", load(&counters.epoch_changes))],
    );
    page.counter_values(
        "livesouk_backpressure_steps_total",
        "Slow viewers: steps down (skip, state_only, close) and back up (rejoin)",
        "step",
        [
            ("skip", load(&counters.skipped_to_head)),
            ("state_only", load(&counters.state_only)),
            ("rejoin", load(&counters.resynced)),
            ("close", load(&counters.closed_slow)),
        ],
    );
    page.labeled_counter(
        "livesouk_websocket_closes_total",
        "WebSocket connections that ended",
        "reason",
        counters.closes.all(),
    );
}

fn chat(page: &mut MetricsPage<'_>, app: &App) {
    let (queued, max) = app.chat.write_queue();
    let results = &app.counters().chat_outcomes;
    page.labeled_counter("livesouk_chat_messages_total", "Chat messages: sent, or why not", "result", results);
    page.gauge("livesouk_chat_queue_messages", "Chat messages queued for the database", queued as f64);
    page.gauge(
        "livesouk_chat_queue_messages_max",
        "Capacity of that queue; when it is full, chat is refused as busy",
        max as f64,
    );
}

fn purchases(page: &mut MetricsPage<'_>, app: &App) {
    let (counters, selling) = (app.counters(), &app.selling.counters);
    let results = &counters.buy_outcomes;
    page.labeled_counter("livesouk_purchases_total", "Purchases: held, replayed, or why not", "result", results);
    page.durations(
        "livesouk_purchase_duration_seconds",
        "Duration of purchases that the sold-out cache did not refuse: the queue and the batch",
        &counters.buy_duration,
    );
    page.gauge("livesouk_purchases_pending", "Purchases in progress", load(&selling.waiting_requests) as f64);
    page.gauge(
        "livesouk_selling_tasks",
        "Offers with a selling task: with a purchase in the last minute",
        app.selling.task_count() as f64,
    );
    page.sizes("livesouk_purchase_batch_size", "Purchases in one transaction", &selling.batch_sizes);
    page.durations(
        "livesouk_purchase_batch_duration_seconds",
        "Duration of one attempt of a batch, with its wait for a connection",
        &selling.batch_duration,
    );
    let (store, _) = app.store_metrics();
    page.durations(
        "livesouk_offer_lock_wait_seconds",
        "Wait of batches for the row lock of their offer, queued ahead of time; on SQLite, for the single writer",
        &store.lock_wait,
    );
    page.durations(
        "livesouk_offer_lock_held_seconds",
        "How long batches held the row lock, with the commit",
        &store.lock_held,
    );
    page.counter(
        "livesouk_purchase_batch_retries_total",
        "Batches retried because the connection or the database failed",
        load(&selling.retried_batches),
    );
    page.counter(
        "livesouk_purchase_batch_splits_total",
        "Batches split in two to find a row that cannot be saved",
        load(&selling.split_batches),
    );
    page.labeled_counter(
        "livesouk_buyers_limited_total",
        "Requests of buyers that were refused because one buyer sent too many",
        "what",
        &app.checkout.limits.refused,
    );
    page.counter_values(
        "livesouk_lapsed_holds_total",
        "Holds that lapsed, as this node learned of them: counted against their buyer, or excused because of a fault of ours",
        "result",
        app.catalogue.lapses.totals(),
    );
    page.labeled_counter("livesouk_holds_ended_total", "Holds that ended", "reason", &counters.ended_holds);
    page.durations("livesouk_hold_duration_seconds", "Duration of holds that ended", &counters.hold_duration);
    page.durations(
        "livesouk_hold_release_delay_seconds",
        "How long after its end an expired hold was released",
        &counters.release_delay,
    );
    page.gauge(
        "livesouk_hold_locks_awaited",
        "Offers whose expired holds wait because another transaction has locked the offer",
        counters.hold_locks_awaited.load(Ordering::Relaxed) as f64,
    );
}

fn payments(page: &mut MetricsPage<'_>, app: &App) {
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
    page.counter(
        "livesouk_refunds_failed_later_total",
        "Looks at refunds that were done and have failed at the bank since",
        load(&counters.refunds_failed_later),
    );
    page.counter(
        "livesouk_outbox_unreadable_total",
        "Events of the outbox that were dropped because they cannot be read",
        load(&counters.outbox_unreadable),
    );
    page.counter(
        "livesouk_payments_reconciled_total",
        "Unfinished payments and refunds that the reconciliation checked",
        load(&counters.reconciled),
    );
    page.counter(
        "livesouk_addresses_erased_total",
        "Delivery addresses erased because their order ended or was sent, and the retention time was over or their user asked for it",
        load(&counters.addresses_erased),
    );
    page.labeled_counter(
        "livesouk_sign_ins_total",
        "Sign-ins on the pages: of guests and accounts, and what came of codes by e-mail",
        "result",
        &counters.sign_ins,
    );
    page.counter(
        "livesouk_expired_sign_ins_deleted_total",
        "Sessions and codes by e-mail that were deleted because their time was over",
        load(&counters.sign_ins_expired),
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

/// Without Redis all of these are 0.
fn broker(page: &mut MetricsPage<'_>, app: &App) {
    const MICROSECOND: f64 = 1e-6;
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

fn background_jobs(page: &mut MetricsPage<'_>, app: &App) {
    let jobs = app.jobs();
    let mut runs = page.counters("livesouk_background_job_runs_total", "Runs of background jobs");
    for job in &jobs {
        runs.add(&[("job_name", job.spec.name), ("result", "ok")], load(&job.succeeded) as f64);
        runs.add(&[("job_name", job.spec.name), ("result", "failed")], load(&job.failed) as f64);
    }
    let mut overdue = page.counters(
        "livesouk_background_job_overdue_runs_total",
        "Runs of background jobs that took longer than their deadline",
    );
    for job in &jobs {
        overdue.add(&[("job_name", job.spec.name)], load(&job.overdue) as f64);
    }
    let mut ages = page.gauges(
        "livesouk_background_job_last_success_age_seconds",
        "Time since the last successful run of a background job, or since the start of the node",
    );
    for job in &jobs {
        let since = job.last_success_at.load(Ordering::Relaxed).max(app.started_at());
        ages.add(&[("job_name", job.spec.name)], (app.now() - since).max(0) as f64 / 1e3);
    }
}

fn database(page: &mut MetricsPage<'_>, app: &App) {
    let (_, pools) = app.store_metrics();
    let mut connections = page.gauges("livesouk_database_connections", "Connections to the database");
    for pool in &pools {
        connections.add(&[("pool", pool.name), ("state", "used")], pool.in_use as f64);
        connections.add(&[("pool", pool.name), ("state", "idle")], pool.idle as f64);
    }
    let mut max = page.gauges("livesouk_database_connections_max", "Maximum number of connections to the database");
    pools.iter().for_each(|pool| max.add(&[("pool", pool.name)], pool.max as f64));
    let (offset, epoch) = app.clock_offset_and_epoch();
    page.gauge(
        "livesouk_database_clock_offset_seconds",
        "How far the clock of the database is ahead of the clock of this node",
        offset as f64 / 1e3,
    );
    page.gauge(
        "livesouk_orders_unsummed",
        "Orders and refunds that are not in the sums of the reports yet; a report reads them one by one",
        app.counters().orders_unsummed.load(Ordering::Relaxed) as f64,
    );
    let snapshot = app.counters().oldest_snapshot_ms.load(Ordering::Relaxed);
    page.gauge(
        "livesouk_database_oldest_snapshot_seconds",
        "How long the oldest snapshot of PostgreSQL has been open, looked at every 10 s",
        snapshot as f64 / 1e3,
    );
    page.gauge(
        "livesouk_database_epoch",
        "The epoch of the data: each failover raises it (on SQLite, each start)",
        epoch as f64,
    );
}
