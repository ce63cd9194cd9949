//! The accept loop. It is our own because `axum::serve` has no header timeout, no limit on connections and no way to wait for
//! requests that have started.
//!
//! Reads are bounded by a deadline for the head (`head_deadline.rs`), by hyper's timeout between two requests and by the request
//! timeout (`request_metrics.rs`), writes by the deadline for progress (`write_deadline.rs`). We checked `tokio-io-timeout` for
//! this: its streams must stay pinned, so the session could not take the plain TCP socket out of them after a WebSocket upgrade.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client_address::{ClientAddress, TrustedProxies};
use super::head_deadline::HeadDeadline;
use super::write_deadline::WriteDeadline;
use crate::metrics::increment;

/// A connection is closed if the head of a request takes longer, from its first byte on.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection is closed if it is idle for so long between two requests. This is longer than the time for which proxies and cloud
/// balancers keep a connection (60 s): if this side closed first, a POST that is sent at that moment would fail.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// A connection ends after so many requests, so that no client keeps its place for ever. A proxy that we trust serves many
/// clients over one connection and has no such limit.
const REQUESTS_PER_CONNECTION_MAX: u32 = 1_000;
/// How long open requests may take after shutdown has begun.
const REQUESTS_STOP_DEADLINE: Duration = Duration::from_secs(10);
/// The pause after a failed accept (too many open files), in which some connections may close.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The permission for one open connection. It moves with the connection to the WebSocket session.
#[derive(Clone)]
pub struct ConnectionPermit(#[expect(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

/// Limits the number of open connections, and counts those that were dropped.
#[derive(Debug)]
pub struct ConnectionLimiter {
    permits: Arc<Semaphore>,
    pub max: usize,
    /// Connections that were dropped because of the limit.
    pub dropped: AtomicU64,
    /// Connections that could not be accepted, mostly because of the limit on open files.
    pub accept_failures: AtomicU64,
    /// Connections that were cut because the client took nothing for too long.
    pub stalled: Arc<AtomicU64>,
}

impl ConnectionLimiter {
    pub fn with_max(max: usize) -> Self {
        let (dropped, accept_failures, stalled) = Default::default();
        Self { permits: Arc::new(Semaphore::new(max)), max, dropped, accept_failures, stalled }
    }

    pub fn open_connections(&self) -> usize {
        self.max.saturating_sub(self.permits.available_permits())
    }
}

/// Serves until `stop`, then finishes the open requests. Upgraded connections belong to their sessions and are not waited for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Arc<ConnectionLimiter>,
    trusted_proxies: Arc<TrustedProxies>,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                increment(&connections.accept_failures);
                tracing::warn!(error = %error, "accept failed");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        // Above the limit the socket is dropped: the client reconnects with jitter, later or to another node.
        if let Ok(permit) = connections.permits.clone().try_acquire_owned() {
            let _ = socket.set_nodelay(true);
            let (router, stop) = (router.clone(), stop.clone());
            let permit = ConnectionPermit(Arc::new(permit));
            let peer = ClientAddress::from_socket(peer);
            let requests_max = if trusted_proxies.is_trusted(peer.0) { u32::MAX } else { REQUESTS_PER_CONNECTION_MAX };
            let socket =
                WriteDeadline::new(socket, connections.stalled.clone(), HeadDeadline::new(HEADER_READ_TIMEOUT));
            tasks.spawn(serve_connection(socket, peer, requests_max, permit, router, stop));
        } else {
            increment(&connections.dropped);
        }
    }
    tasks.close();
    if tokio::time::timeout(REQUESTS_STOP_DEADLINE, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "open requests were aborted at shutdown");
    }
}

async fn serve_connection(
    socket: WriteDeadline,
    peer: ClientAddress,
    requests_max: u32,
    permit: ConnectionPermit,
    router: Router,
    stop: CancellationToken,
) {
    let requests = AtomicU32::new(0);
    let turn = socket.turn();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(permit.clone());
        let is_last = requests.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= requests_max;
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
    http.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT).max_buf_size(32 * 1024);
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
        tracing::debug!(error = %error, "connection ended early");
    }
}

#[cfg(test)]
#[path = "server_test.rs"]
mod tests;
