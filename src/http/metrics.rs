//! `/metrics`: everything this node counts, in the text that Prometheus reads. Nothing here is kept; each part of the
//! server counts for itself, and this page reads it out. `docs/operate.md` says what each is for.
//!
//! The numbers of a shop are nobody else's: here they are for those whose token may see them, and for whoever reaches
//! `--metrics-listen`, which is an address of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::routing::get;

use super::error::ApiResult;
use super::extract::Caller;
use super::{AppState, ops};
use crate::app::{App, BACKGROUND_JOBS};
use crate::domain::Permission;
use crate::metrics::{METRICS_CONTENT_TYPE, MetricsPage, ProcessMetrics};

type MetricsResponse = ([(HeaderName, &'static str); 1], String);

/// For whoever may see the numbers of the shop; in the demo, where anybody may be anybody, for all.
pub async fn authorized(State(door): State<AppState>, Caller(actor): Caller) -> ApiResult<MetricsResponse> {
    if !door.app.settings().is_dev_login_enabled {
        actor.authorize(Permission::ViewReports, None)?;
    }
    Ok(unrestricted(State(door)).await)
}

/// What `--metrics-listen` serves.
pub fn router(door: AppState) -> Router {
    Router::new()
        .route("/metrics", get(unrestricted))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .fallback(ops::not_found)
        .with_state(door)
}

async fn unrestricted(State(door): State<AppState>) -> MetricsResponse {
    let process = tokio::task::spawn_blocking(ProcessMetrics::read).await.ok().flatten();
    let mut page = MetricsPage::default();
    node(&mut page, &door);
    rooms(&mut page, &door.app);
    connections(&mut page, &door);
    chat(&mut page, &door.app);
    purchases(&mut page, &door.app);
    payments(&mut page, &door.app);
    broker(&mut page, &door.app);
    background_jobs(&mut page, &door.app);
    database(&mut page, &door.app);
    if let Some(process) = process {
        process.write(&mut page);
    }
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], page.into_text())
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn node(page: &mut MetricsPage, door: &AppState) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.gauges("livesouk_build_info", "1, and the version in the label.").put(&version, 1.0);
    let stopping = f64::from(u8::from(door.app.is_draining()));
    page.gauge("livesouk_stopping", "1 once the node was asked to stop.", stopping);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    page.gauge("livesouk_tasks", "Tasks that the runtime has; a viewer is about one.", tasks as f64);
}

fn rooms(page: &mut MetricsPage, app: &App) {
    let (now, tally) = (app.rooms().load(), &app.rooms().counters);
    page.gauge("livesouk_rooms", "Shows with a room on this node.", now.rooms as f64);
    page.gauge("livesouk_viewers", "The audience on this node, each session once.", now.viewers as f64);
    page.gauge("livesouk_connections", "Live connections, of the audience or not.", now.connections as f64);
    let waiting = "Events that wait for a room's writer, in all rooms.";
    page.gauge("livesouk_room_inbox_events", waiting, now.queued_events as f64);
    let fullest = "Events that wait in the fullest room; past 2048 the broker waits for it.";
    page.gauge("livesouk_room_inbox_events_fullest", fullest, now.queued_events_max as f64);

    page.counter("livesouk_frames_total", "Frames encoded, once each for a whole room.", load(&tally.frames));
    page.counter("livesouk_sends_total", "Writes to viewers' sockets.", load(&tally.sends));
    page.counter("livesouk_sent_bytes_total", "Bytes that the sockets took.", load(&tally.sent_bytes));
    page.counter("livesouk_sends_blocked_total", "Writes that found the socket full.", load(&tally.blocked_writes));
    page.counter("livesouk_deflated_frames_total", "Frames deflated, once each.", load(&tally.deflated_frames));
    let mut bytes = page.counters("livesouk_deflate_bytes_total", "Bytes of these before and after.");
    bytes.put(&[("side", "before")], load(&tally.deflate_bytes_in) as f64);
    bytes.put(&[("side", "after")], load(&tally.deflate_bytes_out) as f64);
    page.times("livesouk_walk_seconds", "One walk over a room's sockets with what is new.", &tally.broadcast_times);
    let late = "From the oldest event of a frame coming into the room to the end of its walk over the sockets.";
    page.times("livesouk_event_to_socket_seconds", late, &tally.delivery_times);

    let mut greetings = page.counters(
        "livesouk_greetings_total",
        "Viewers greeted: recovered yes or no for those who said where they were, new for the others.",
    );
    greetings.put(&[("recovered", "yes")], load(&tally.resumed) as f64);
    greetings.put(&[("recovered", "no")], load(&tally.unrecovered) as f64);
    greetings.put(&[("recovered", "new")], load(&tally.first_joins) as f64);
    let bridged = "Recovered with the help of the broker's history.";
    page.counter("livesouk_greetings_bridged_total", bridged, load(&tally.resumed_from_history));
    let mut broken =
        page.counters("livesouk_room_snapshots_total", "Times a room lost continuity and sent everybody a snapshot.");
    broken.put(&[("why", "hole")], load(&tally.holes) as f64);
    broken.put(&[("why", "epoch")], load(&tally.epoch_changes) as f64);
    let mut steps = page.counters("livesouk_ladder_steps_total", "Slow viewers: steps down, and up again (rejoin).");
    for (step, counter) in [
        ("skip", &tally.skipped_to_head),
        ("thin", &tally.state_only),
        ("rejoin", &tally.resynced),
        ("close", &tally.closed_slow),
    ] {
        steps.put(&[("step", step)], load(counter) as f64);
    }
    page.named("livesouk_closes_total", "Connections that ended, by why.", "reason", tally.closes.all());
}

fn connections(page: &mut MetricsPage, door: &AppState) {
    let mut handshakes = page
        .counters("livesouk_handshakes_total", "WebSocket handshakes: let in, told when to come, refused with 503.");
    for (answer, counter) in
        [("welcome", &door.admission.admitted), ("told", &door.admission.told), ("refused", &door.admission.rejected)]
    {
        handshakes.put(&[("answer", answer)], load(counter) as f64);
    }
    let connections = &door.connections;
    page.gauge("livesouk_http_connections", "Connections, viewers and requests together.", connections.open() as f64);
    page.gauge("livesouk_http_connections_max", "How many there may be.", connections.max as f64);
    let dropped = "Connections dropped because there were as many as there may be.";
    page.counter("livesouk_http_connections_dropped_total", dropped, load(&connections.dropped));
    let failed = "Connections that could not be accepted, for want of files above all.";
    page.counter("livesouk_http_accept_failures_total", failed, load(&connections.accept_failures));
    let mut answers = page.counters("livesouk_http_requests_total", "Requests by the class of their answer.");
    door.request_metrics
        .responses_by_class()
        .for_each(|(class, count)| answers.put(&[("status", class)], count as f64));
    page.times(
        "livesouk_http_request_seconds",
        "From the request's head to the answer's.",
        &door.request_metrics.duration,
    );
}

fn chat(page: &mut MetricsPage, app: &App) {
    let (waiting, most) = app.chat_write_queue();
    page.named("livesouk_chat_total", "Messages: said, or why not.", "answer", &app.counters().chat_outcomes);
    page.gauge("livesouk_chat_waiting", "Messages that wait to be written.", waiting as f64);
    page.gauge("livesouk_chat_waiting_max", "How many may; past it talk is refused as busy.", most as f64);
}

fn purchases(page: &mut MetricsPage, app: &App) {
    let (tally, counts) = (app.counters(), app.selling_counters());
    page.named("livesouk_buys_total", "Purchases: held, replayed, or why not.", "answer", &tally.buy_outcomes);
    let asked = "What a buyer waited who was not refused in memory: the queue and the batch.";
    page.times("livesouk_buy_seconds", asked, &tally.buy);
    page.gauge("livesouk_buyers_waiting", "Buyers who wait for an answer now.", load(&counts.waiting_requests) as f64);
    page.gauge(
        "livesouk_offer_actors",
        "Offers that somebody asked for within a minute.",
        app.selling_task_count() as f64,
    );
    page.sizes("livesouk_sell_batch_asks", "Purchases in one transaction.", &counts.batch_sizes);
    page.times("livesouk_sell_batch_seconds", "One try of a batch, connection and all.", &counts.batch_duration);
    let (store, _) = app.store_metrics();
    let wait = "What batches waited for the lock of their offer's row, standing in line ahead of time included; on SQLite, for the writer.";
    page.times("livesouk_sell_lock_wait_seconds", wait, &store.lock_wait);
    page.times("livesouk_sell_lock_held_seconds", "How long they held it, commit included.", &store.lock_held);
    let resent = "Batches sent again because the link or the database failed.";
    page.counter("livesouk_sell_resent_total", resent, load(&counts.retried_batches));
    let halved = "Batches cut in two to find a row that cannot be stored.";
    page.counter("livesouk_sell_halved_total", halved, load(&counts.split_batches));
    page.named("livesouk_holds_ended_total", "Holds that ended, by why.", "why", &tally.ended_holds);
    page.times("livesouk_hold_seconds", "How long they had lasted.", &tally.held);
    let late = "How long after the time shown a hold was released.";
    page.times("livesouk_hold_release_late_seconds", late, &tally.release_delay);
}

fn payments(page: &mut MetricsPage, app: &App) {
    let tally = app.counters();
    page.named("livesouk_payments_total", "Answers to pay: paid, replayed, or why not.", "answer", &tally.pay_outcomes);
    page.named("livesouk_refunds_total", "Answers to refund.", "answer", &tally.refund_outcomes);
    if let Some(calls) = app.provider_call_metrics() {
        let outcome = "Calls to the payment provider; unknown: no answer in time.";
        page.named("livesouk_provider_calls_total", outcome, "outcome", &calls.outcomes);
        page.times("livesouk_provider_call_seconds", "How long they took.", &calls.duration);
    }
    let astray = "Money taken that no order asked for: look at the provider.";
    page.counter("livesouk_payments_astray_total", astray, load(&tally.unmatched_payments));
    let looked = "Payments and refunds that nobody had finished and the reconciler looked at.";
    page.counter("livesouk_reconciled_total", looked, load(&tally.reconciled));
    page.named("livesouk_webhooks_total", "Webhooks taken in.", "what", &tally.webhook_outcomes);
    let waiting = load(&tally.outbox_pending);
    page.gauge("livesouk_outbox_notes", "Notes that waited in the outbox at the last look.", waiting as f64);
    let since = tally.outbox_oldest_at.load(Ordering::Relaxed);
    let age = if since == 0 { 0 } else { (app.now() - since).max(0) };
    page.gauge("livesouk_outbox_age_seconds", "How long the oldest of them has waited.", age as f64 / 1e3);
    page.times("livesouk_outbox_delay_seconds", "From a note being written to it being told.", &tally.outbox_delay);
}

/// Without Redis all of it is 0.
fn broker(page: &mut MetricsPage, app: &App) {
    const US: f64 = 1e-6;
    let bus = app.broker_metrics();
    let size = |size: &std::sync::atomic::AtomicUsize| size.load(Ordering::Relaxed) as f64;
    page.gauge(
        "livesouk_bus_shards",
        "Redis servers, or partitions of a cluster, between the nodes.",
        size(&bus.shards),
    );
    page.gauge("livesouk_bus_shards_up", "How many of them this node hears.", size(&bus.shards_up));
    page.gauge("livesouk_bus_streams", "Shows this node listens to.", size(&bus.subscriptions));
    let (lag, rebuilt) = (&bus.heartbeat_latency, &bus.reconnect_time);
    let canary = "From telling the bus a beat to hearing it, once a second: the canary.";
    page.buckets("livesouk_bus_lag_seconds", canary, US, lag.buckets(), lag.sum());
    page.counter(
        "livesouk_bus_link_deaths_total",
        "Links to the bus that died and were built anew.",
        load(&bus.link_failures),
    );
    let ready = "From the death of a link until everything on it was heard again.";
    page.buckets("livesouk_bus_rebuild_seconds", ready, US, rebuilt.buckets(), rebuilt.sum());
    let (sizes, took) = (&bus.batch_size, &bus.batch_time);
    page.buckets("livesouk_bus_batch_events", "Events numbered by one call.", 1.0, sizes.buckets(), sizes.sum());
    page.buckets("livesouk_bus_batch_seconds", "That call, all its tries together.", US, took.buckets(), took.sum());
    for (name, help, counter) in [
        ("livesouk_bus_resent_total", "Calls sent again after a fault.", &bus.batches_retried),
        ("livesouk_bus_given_up_total", "Calls given up: their senders heard busy.", &bus.batches_failed),
        (
            "livesouk_bus_unheard_total",
            "Calls that reached nobody though this node listens.",
            &bus.batches_without_receiver,
        ),
        ("livesouk_bus_heard_total", "Batches heard.", &bus.batches_received),
        ("livesouk_bus_holes_total", "Holes seen in what was heard.", &bus.holes),
        ("livesouk_bus_holes_filled_total", "Holes filled from history, unseen by viewers.", &bus.holes_filled),
        ("livesouk_bus_restarts_total", "Holes that were left: their rooms started afresh.", &bus.restarts),
        ("livesouk_bus_dropped_total", "Messages dropped because a queue was full.", &bus.messages_dropped),
        ("livesouk_bus_posts_total", "Calls that carried values and orders.", &bus.publications),
        ("livesouk_bus_post_messages_total", "Values and orders in them.", &bus.publication_messages),
    ] {
        page.counter(name, help, load(counter));
    }
}

fn background_jobs(page: &mut MetricsPage, app: &App) {
    let all = || BACKGROUND_JOBS.into_iter().zip(&app.counters().background_jobs);
    let mut rounds =
        page.counters("livesouk_loop_rounds_total", "Turns of what works between requests, by how they went.");
    for (name, round) in all() {
        rounds.put(&[("loop", name), ("outcome", "ok")], load(&round.succeeded) as f64);
        rounds.put(&[("loop", name), ("outcome", "failed")], load(&round.failed) as f64);
    }
    let mut ages = page.gauges("livesouk_loop_age_seconds", "How long ago its last good turn ended.");
    for (name, round) in all() {
        let since = round.last_success_at.load(Ordering::Relaxed).max(app.started_at());
        ages.put(&[("loop", name)], (app.now() - since).max(0) as f64 / 1e3);
    }
}

fn database(page: &mut MetricsPage, app: &App) {
    let (_, pools) = app.store_metrics();
    let mut connections = page.gauges("livesouk_pool_connections", "Connections to the database.");
    for pool in &pools {
        connections.put(&[("pool", pool.name), ("state", "used")], pool.in_use as f64);
        connections.put(&[("pool", pool.name), ("state", "idle")], pool.idle as f64);
    }
    let mut most = page.gauges("livesouk_pool_connections_max", "How many there may be.");
    pools.iter().for_each(|pool| most.put(&[("pool", pool.name)], pool.max as f64));
    let (ahead, epoch) = app.clock_offset_and_epoch();
    let clock = "How far the database's clock is ahead of this machine's.";
    page.gauge("livesouk_database_clock_ahead_seconds", clock, ahead as f64 / 1e3);
    page.gauge("livesouk_database_epoch", "Raised by each failover (on SQLite, by each start).", epoch as f64);
}
