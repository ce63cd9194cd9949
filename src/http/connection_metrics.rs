//! The metrics of HTTP: connections, requests, admission and tokens.

use super::AppState;
use super::metrics::load;
use crate::metrics::MetricsPage;

pub(super) fn connections(page: &mut MetricsPage<'_>, state: &AppState) {
    let (admission, connections, requests) = (&state.admission, &state.connections, &state.request_metrics);
    page.counter_values(
        "livesouk_websocket_handshakes_total",
        "WebSocket handshakes: admitted, closed with a time to retry, or rejected with 503",
        "result",
        [
            ("admitted", load(&admission.admitted)),
            ("deferred", load(&admission.deferred)),
            ("rejected", load(&admission.rejected)),
        ],
    );
    page.counter(
        "livesouk_websocket_handshakes_with_ticket_total",
        "WebSocket handshakes that were admitted with an admission ticket, by viewers who had been told to come back",
        load(&admission.with_ticket),
    );
    page.gauge(
        "livesouk_websocket_handshakes_wait_seconds",
        "How long a viewer who comes now waits for a place to join; 0 when viewers are admitted at once",
        admission.wait_ms(state.app.clock().now()) as f64 / 1_000.0,
    );
    page.counter_values(
        "livesouk_limited_total",
        "What was refused or delayed because one client took more than its share: handshakes of an address or user, sockets of \
         a user, connections of an address, requests on a full node, frames of a connection",
        "what",
        [
            ("handshakes", load(&admission.over_share)),
            ("sockets", load(&state.app.rooms().counters.sockets_refused)),
            ("connections", load(&connections.over_share)),
            ("full_node", load(&connections.full)),
            ("frames", load(&state.app.counters().frames_delayed)),
        ],
    );
    page.gauge(
        "livesouk_limits_off",
        "1 if the limits of each user and connection are off (--request-limits false), as load tests need it",
        f64::from(u8::from(!state.app.settings().are_requests_limited)),
    );
    page.gauge(
        "livesouk_http_addresses",
        "Client addresses with a connection and a limit",
        connections.limited_addresses() as f64,
    );
    page.gauge(
        "livesouk_http_connections",
        "Open connections, viewers and requests together",
        connections.open_connections() as f64,
    );
    page.gauge("livesouk_http_connections_max", "Maximum number of open connections", connections.max as f64);
    page.counter(
        "livesouk_http_connections_dropped_total",
        "Connections dropped because the maximum was reached",
        load(&connections.dropped),
    );
    page.counter(
        "livesouk_http_accept_failures_total",
        "Connections that could not be accepted, mostly because of the limit on open files",
        load(&connections.accept_failures),
    );
    page.counter(
        "livesouk_http_connections_stalled_total",
        "Connections cut because the client read none of its data for ten seconds",
        load(&connections.stalled),
    );
    page.counter_values(
        "livesouk_http_requests_total",
        "Requests by the class of their status",
        "status",
        requests.responses_by_class(),
    );
    page.durations(
        "livesouk_http_request_duration_seconds",
        "From the head of the request to the head of the response",
        &requests.duration,
    );
}

pub(super) fn tokens(page: &mut MetricsPage<'_>, state: &AppState) {
    page.gauge(
        "livesouk_token_revocations",
        "Revocations of tokens that this node knows",
        state.app.tokens.revocations_in_force() as f64,
    );
    let sources: Vec<_> = state.auth.jwks().iter().enumerate().map(|(at, source)| (at.to_string(), source)).collect();
    let mut keys = page.gauges("livesouk_jwks_keys", "Keys of a key set; the label is its number in --jwks, from 0");
    sources.iter().for_each(|(at, source)| keys.add(&[("source", at)], source.keys().len() as f64));
    let mut ages = page.gauges(
        "livesouk_jwks_last_success_age_seconds",
        "Time since a key set was last read, or since the start of the node",
    );
    sources.iter().for_each(|(at, source)| ages.add(&[("source", at)], source.age().as_secs_f64()));
    let mut failures = page.counters("livesouk_jwks_failures_total", "Times that a key set could not be read");
    sources.iter().for_each(|(at, source)| failures.add(&[("source", at)], source.failures() as f64));
}
