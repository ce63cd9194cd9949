//! The accept loop: our own, because the stock one has no header deadline, no cap and no way to wait for what it began.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client_address::ClientAddress;
use crate::metrics::increment;

/// A client that does not finish its request's headers by then is cut; so is one that idles between requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests under way may take once we are asked to stop.
const REQUESTS_STOP_DEADLINE: Duration = Duration::from_secs(10);
/// After a failed accept (too many open files): a moment for some to close.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// One of the connections there may be at once. Whoever takes a connection over takes its place too.
#[derive(Clone)]
pub struct ConnectionPermit(#[expect(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

/// How many connections there may be and are, and what became of the others.
#[derive(Debug)]
pub struct ConnectionLimiter {
    permits: Arc<Semaphore>,
    pub max: usize,
    /// Dropped for want of a place; not accepted for want of files.
    pub dropped: AtomicU64,
    pub accept_failures: AtomicU64,
}

impl ConnectionLimiter {
    pub fn with_max(max: usize) -> Self {
        let (dropped, accept_failures) = Default::default();
        Self { permits: Arc::new(Semaphore::new(max)), max, dropped, accept_failures }
    }

    pub fn open(&self) -> usize {
        self.max.saturating_sub(self.permits.available_permits())
    }
}

/// Serves until `stop`, then finishes the requests under way. Upgraded connections are no longer ours.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Arc<ConnectionLimiter>,
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
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        // Over the cap the socket is dropped: a client that comes back with jitter finds room or another node.
        if let Ok(permit) = connections.permits.clone().try_acquire_owned() {
            let (router, stop) = (router.clone(), stop.clone());
            let place = ConnectionPermit(Arc::new(permit));
            tasks.spawn(serve_connection(socket, ClientAddress::from_socket(peer), place, router, stop));
        } else {
            increment(&connections.dropped);
        }
    }
    tasks.close();
    if tokio::time::timeout(REQUESTS_STOP_DEADLINE, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests were cut at the end");
    }
}

async fn serve_connection(
    socket: TcpStream,
    peer: ClientAddress,
    place: ConnectionPermit,
    router: Router,
    stop: CancellationToken,
) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(place.clone());
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT).max_buf_size(32 * 1024);
    let connection = http.serve_connection(TokioIo::new(socket), service).with_upgrades();
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
