//! The accept loop. It is our own because `axum::serve` has no header timeout, no limit on connections and no way to wait for
//! requests that have started.
//!
//! Reads are bounded by a deadline for the head (`head_deadline.rs`), by hyper's timeout between two requests and by the request
//! timeout (`request_metrics.rs`), writes by the deadline for progress (`write_deadline.rs`). We checked `tokio-io-timeout` for
//! this: its streams must stay pinned, so the session could not take the plain TCP socket out of them after a WebSocket upgrade.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client_address::{ClientAddress, TrustedProxies};
use super::connection_limit::{ConnectionLimiter, ConnectionPermit};
use super::head_deadline::HeadDeadline;
use super::log_sampler::LogSampler;
use super::write_deadline::WriteDeadline;
use crate::clock::Clock;
use crate::metrics::increment;

/// A connection is closed if the head of a request takes longer, from its first byte on.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection is closed if it is idle for this time between two requests. This is longer than the time for which proxies and cloud
/// balancers keep a connection (60 s): if this side closed first, a POST that is sent at that moment would fail.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// The server closes a connection after this many requests, so that no client holds a slot forever. A trusted proxy serves many
/// clients over one connection, so this limit does not hold for it.
const REQUESTS_PER_CONNECTION_MAX: u32 = 1_000;
/// Both deadlines for a connection in a reserved slot: nobody may keep it by sending nothing.
const RESERVED_TIMEOUT: Duration = Duration::from_secs(2);
/// How long open requests may take after shutdown has begun.
const REQUESTS_STOP_DEADLINE: Duration = Duration::from_secs(10);
/// The pause after a failed accept (too many open files), in which some connections may close.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Serves until `stop`, then finishes the open requests. Upgraded connections belong to their sessions and are not waited for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Arc<ConnectionLimiter>,
    trusted_proxies: Arc<TrustedProxies>,
    clock: Clock,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let failures = LogSampler::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                increment(&connections.accept_failures);
                if let Some(left_out) = failures.line(clock.now()) {
                    tracing::warn!(error = %error, left_out, "a connection could not be accepted");
                }
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        let peer = ClientAddress::from_socket(peer);
        // The connections of a proxy count for its clients, once their requests name them.
        let is_proxy = trusted_proxies.is_trusted(peer.0);
        let address = if is_proxy { None } else { connections.address_key(peer.0) };
        let Some(permit) = connections.accept(address) else { continue };
        let _ = socket.set_nodelay(true);
        let limits = RequestLimits {
            count: if is_proxy { u32::MAX } else { REQUESTS_PER_CONNECTION_MAX },
            idle_timeout: if permit.is_reserved() { RESERVED_TIMEOUT } else { IDLE_TIMEOUT },
        };
        let head_timeout = if permit.is_reserved() { RESERVED_TIMEOUT } else { HEADER_READ_TIMEOUT };
        let socket = WriteDeadline::new(socket, connections.stalled.clone(), HeadDeadline::new(head_timeout));
        tasks.spawn(serve_connection(socket, peer, limits, permit, router.clone(), stop.clone()));
    }
    tasks.close();
    if tokio::time::timeout(REQUESTS_STOP_DEADLINE, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "open requests were aborted at shutdown");
    }
}

/// The limits of one connection.
#[derive(Clone, Copy)]
struct RequestLimits {
    count: u32,
    idle_timeout: Duration,
}

async fn serve_connection(
    socket: WriteDeadline,
    peer: ClientAddress,
    limits: RequestLimits,
    permit: ConnectionPermit,
    router: Router,
    stop: CancellationToken,
) {
    let requests = AtomicU32::new(0);
    let turn = socket.turn();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(permit.clone());
        let is_last = requests.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= limits.count;
        turn.next();
        let (router, turn) = (router.clone(), turn.clone());
        async move {
            let answer = router.oneshot(request.map(Body::new)).await;
            let mut response = answer.unwrap_or_else(|never| match never {});
            // hyper closes the connection after a response with this header.
            if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            turn.next();
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_buf_size(32 * 1024);
    let connection = http.serve_connection(socket, service).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
}

#[cfg(test)]
#[path = "server_test.rs"]
mod tests;
