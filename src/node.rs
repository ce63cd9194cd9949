//! A running node: opens the store, starts the app, listens, and stops without losing what was begun.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Settings};
use crate::broker::{Broker, BrokerEvent};
use crate::clock::Clock;
use crate::config::LimitArgs;
use crate::domain::{Shop, ShopId};
use crate::http::admission::Admission;
use crate::http::auth::TokenAuth;
use crate::http::server::ConnectionLimiter;
use crate::http::{self, AppState, Origins, TrustedProxies};
use crate::store::{self, Store};

/// How long a database that is down at start is waited for.
const STORE_START_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for the bus; without it a node starts all the same.
const BROKER_START_TIMEOUT: Duration = Duration::from_secs(3);
/// Files a node needs besides its connections: the store's, the listener, the log.
const RESERVED_FILES: u64 = 256;
/// Connections at once when nobody said how many.
const DEFAULT_CONNECTIONS_MAX: usize = 100_000;
const JOINS_PER_CORE: usize = 1_000;
/// Whoever collects metrics comes with one or two.
const METRICS_CONNECTIONS_MAX: usize = 32;
/// Connections that wait to be accepted, as far as the system allows. Past it the kernel drops what comes, and a client asks
/// again a second later: a crowd that returns at once fills the usual thousand.
const LISTEN_BACKLOG: u32 = 16_384;
/// How long a viewer who was told to move may stay.
const MOVE_TIMEOUT_MS: i64 = 1_500;
/// The same where there is somewhere to go: a phone takes its time to come in elsewhere.
const MOVE_TIMEOUT_IN_CLUSTER_MS: i64 = 5_000;
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// How long a node among others goes on as ever after it said that it is not ready: a balancer looks every few seconds.
const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(5);

/// Why a node did not start. All of it is for the operator to mend, so it is exit code 2.
#[derive(thiserror::Error, Debug)]
pub enum StartError {
    #[error("{0}")]
    Config(String),
    #[error("cannot listen on {address}: {error}\nchoose another address with --listen, like --listen 127.0.0.1:0")]
    Listen { address: SocketAddr, error: std::io::Error },
    #[error("{0}")]
    Store(store::Error),
    #[error("the app did not start: {0}")]
    App(crate::app::Error),
}

/// What a node is made from.
pub struct NodeConfig {
    pub listen: SocketAddr,
    /// Where to tell the metrics without asking who wants them.
    pub metrics_listen: Option<SocketAddr>,
    pub store: Store,
    /// The broker, and what it delivers.
    pub broker: (Broker, mpsc::Receiver<BrokerEvent>),
    pub clock: Clock,
    pub shop: Shop,
    pub auth: TokenAuth,
    pub origins: Origins,
    pub trusted_proxies: TrustedProxies,
    pub settings: Settings,
    pub limits: LimitArgs,
}

/// A node that listens and is ready to serve.
pub struct Node {
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    state: AppState,
    grace: Duration,
    drain_ms: i64,
    stop: CancellationToken,
}

/// Opens the store, waiting for a database that is not up yet.
pub async fn open_store(url: &str, clock: &Clock, sell_connections: usize) -> Result<Store, StartError> {
    let give_up = Instant::now() + STORE_START_TIMEOUT;
    let mut pause = Duration::from_millis(500);
    loop {
        match Store::open(url, clock.clone(), sell_connections).await {
            Ok(store) => return Ok(store),
            Err(error) if error.is_transient() && Instant::now() + pause < give_up => {
                eprintln!("the store is not there yet ({error}); trying again");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(3));
            }
            Err(error) => return Err(StartError::Store(error)),
        }
    }
}

/// The shop of this store; made when the store is new.
pub async fn shop(store: &Store, title: &str, currency: &str) -> Result<Shop, StartError> {
    if let Some(shop) = store.shop().await.map_err(StartError::Store)? {
        return Ok(shop);
    }
    let shop =
        Shop { id: ShopId::new(), title: title.to_owned(), titles: Default::default(), currency: currency.to_owned() };
    store.create_shop(shop).await.map_err(StartError::Store)
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else the port rests for a minute after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// How many connections there may be: what was asked for, as far as the limit on open files carries it.
fn connections_max(asked: Option<usize>, raise: impl FnOnce(u64) -> u64) -> usize {
    let wanted = asked.unwrap_or(DEFAULT_CONNECTIONS_MAX);
    let files = raise(wanted as u64 + RESERVED_FILES);
    let most = files.saturating_sub(RESERVED_FILES).max(files / 2) as usize;
    if asked.is_some_and(|asked| most < asked) {
        tracing::warn!(
            "--connections-max is {wanted}, but this process may open {files} files: {most} connections it is; \
             raise the limit to {} (ulimit -n, or LimitNOFILE= of systemd)",
            wanted as u64 + RESERVED_FILES
        );
    }
    wanted.min(most)
}

/// Raises the limit on open files as far as we may, and says what it is then.
fn raise_file_limit(wanted: u64) -> u64 {
    let soft = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1_024, |(soft, _)| soft);
    if wanted <= soft { soft } else { rlimit::increase_nofile_limit(wanted).unwrap_or(soft) }
}

impl Node {
    pub async fn start(plan: NodeConfig) -> Result<Self, StartError> {
        let NodeConfig {
            listen,
            metrics_listen: metrics,
            store,
            broker,
            clock,
            shop,
            auth,
            origins,
            trusted_proxies: proxies,
            settings,
            limits,
        } = plan;
        let connections =
            Arc::new(ConnectionLimiter::with_max(connections_max(limits.connections_max, raise_file_limit)));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let joins = limits.joins_per_second.unwrap_or((cores * JOINS_PER_CORE) as f64);
        let admission = Arc::new(Admission::new(joins, clock.now()));
        let drain_ms = (limits.drain_seconds * 1_000.0) as i64;
        let usual = if broker.0.is_shared() { DEFAULT_GRACE_PERIOD } else { Duration::ZERO };
        let grace = limits.grace_seconds.map_or(usual, Duration::from_secs_f64);
        let bind = |address| bind(address).map_err(|error| StartError::Listen { address, error });
        let listener = bind(listen)?;
        let metrics = metrics.map(bind).transpose()?;
        let stop = CancellationToken::new();
        if !broker.0.wait_until_up(BROKER_START_TIMEOUT).await {
            tracing::warn!("the bus is not there: selling works, talk waits until it is");
        }
        let app = App::start(store, broker, clock, shop, settings, stop.clone()).await.map_err(StartError::App)?;
        app.set_rehearsal_runner(crate::rehearsal::rehearsal_runner());
        let (auth, origins, proxies) = (Arc::new(auth), Arc::new(origins), Arc::new(proxies));
        let (requests, deflate) = (Default::default(), limits.deflate);
        let door = AppState {
            app,
            auth,
            origins,
            trusted_proxies: proxies,
            admission,
            connections,
            request_metrics: requests,
            deflate,
        };
        Ok(Self { listener, metrics_listener: metrics, state: door, grace, drain_ms, stop })
    }

    /// What the doors call, for those who run a node inside their own process.
    pub fn app(&self) -> &App {
        &self.state.app
    }

    /// Where it really listens: with port 0, the port it got.
    pub fn address(&self) -> Result<SocketAddr, StartError> {
        self.listener.local_addr().map_err(|error| StartError::Config(error.to_string()))
    }

    /// Where the metrics are told, if anywhere besides.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `asked_to_stop`, then lets viewers go, finishes what was begun and closes the store.
    pub async fn serve(self, asked_to_stop: impl Future<Output = ()>) {
        let Self { listener, metrics_listener: metrics, state: door, grace, drain_ms, stop } = self;
        let app = door.app.clone();
        let closed = CancellationToken::new();
        if let Some(metrics) = metrics {
            // To the end of it all: how a node empties is worth watching.
            let few = Arc::new(ConnectionLimiter::with_max(METRICS_CONNECTIONS_MAX));
            tokio::spawn(http::server::serve(metrics, http::metrics::router(door.clone()), few, stop.clone()));
        }
        let connections = door.connections.clone();
        let serving = tokio::spawn(http::server::serve(listener, http::router(door), connections, closed.clone()));
        asked_to_stop.await;
        tracing::info!(grace_ms = grace.as_millis() as u64, drain_ms, "stopping");
        // The balancer reads that this node is not ready and sends nobody any more; who still comes is served.
        app.start_draining();
        sleep(grace).await;
        // Nobody comes in any more; those who are here are asked one after the other to go elsewhere, and are served
        // until they do.
        closed.cancel();
        let rooms = app.rooms().all();
        let (within_ms, last_ms) = match app.is_clustered() {
            true => (MOVE_TIMEOUT_IN_CLUSTER_MS, drain_ms + MOVE_TIMEOUT_IN_CLUSTER_MS),
            false => (MOVE_TIMEOUT_MS, drain_ms),
        };
        rooms.iter().for_each(|room| room.drain(drain_ms, within_ms));
        let leave_by = Instant::now() + Duration::from_millis(last_ms.unsigned_abs());
        while Instant::now() < leave_by && rooms.iter().any(|room| room.has_connections()) {
            sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
        let began = Instant::now();
        let since = || began.elapsed().as_millis() as u64;
        tracing::info!(left_over = rooms.iter().filter(|room| room.has_connections()).count(), "viewers have moved");
        let ending = async {
            let _ = serving.await;
            tracing::info!(took_ms = since(), "requests are answered");
            app.finish().await;
            tracing::info!(took_ms = since(), "what was begun is finished");
        };
        if tokio::time::timeout(SHUTDOWN_DEADLINE, ending).await.is_err() {
            tracing::warn!("some work was cut at the end; what was acknowledged is safe");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_many_as_files_allow() {
        for (asked, files, expected) in [
            (None, 1_048_576, 100_000),
            (None, 20_000, 19_744),
            (Some(5_000), 20_000, 5_000),
            (Some(50_000), 20_000, 19_744),
            (Some(1_000), 300, 150),
        ] {
            assert_eq!(connections_max(asked, |_| files), expected, "{asked:?} with {files}");
        }
    }
}
