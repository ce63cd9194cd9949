//! The metrics of rooms: viewers, broadcasts, joins and slow viewers.

use super::metrics::load;
use crate::app::App;
use crate::metrics::MetricsPage;

/// How much there is in the rooms, what their broadcasts cost, and how viewers joined and left.
pub fn rooms(page: &mut MetricsPage<'_>, app: &App) {
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
    broadcasts(page, app);
    viewers(page, app);
}

fn broadcasts(page: &mut MetricsPage<'_>, app: &App) {
    let counters = &app.rooms().counters;
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
}

fn viewers(page: &mut MetricsPage<'_>, app: &App) {
    let counters = &app.rooms().counters;
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
