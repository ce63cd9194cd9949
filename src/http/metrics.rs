//! `/metrics`: the metrics of this node in the OpenMetrics text format, for Prometheus. Each part of the server counts for itself,
//! and this page reads the counters. `docs/operate.md` explains the metrics.
//!
//! The sales figures of a shop are confidential. So the page needs a token with the permission to see them, or it is requested on
//! the separate address `--metrics-listen`.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::routing::get;

use super::error::ApiResult;
use super::extract::Caller;
use super::{
    AppState, broker_metrics, connection_metrics, import_metrics, mail_metrics, ops, payment_metrics, picture_metrics,
    room_metrics,
};
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
        room_metrics::rooms(page, &state.app);
        connection_metrics::connections(page, &state);
        chat(page, &state.app);
        purchases(page, &state.app);
        payment_metrics::payments(page, &state.app);
        people(page, &state.app);
        payment_metrics::payment_queue(page, &state.app);
        payment_metrics::billing(page, &state.app);
        payment_metrics::removals(page, &state.app);
        picture_metrics::pictures(page, &state.app);
        import_metrics::imports(page, &state.app);
        mail_metrics::mails(page, &state.app);
        broker_metrics::broker(page, &state.app);
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
    let openings = app.checkout.openings();
    page.gauge(
        "livesouk_orders_opening",
        "Requests that make reservations one order, in progress",
        load(&openings.pending) as f64,
    );
    page.sizes("livesouk_order_batch_size", "Orders opened in one transaction", &openings.batch_sizes);
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

/// What is known of people, and what was erased.
fn people(page: &mut MetricsPage<'_>, app: &App) {
    let counters = app.counters();
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
