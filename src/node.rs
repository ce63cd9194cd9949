//! A running node: opens the store, starts the app, listens, and shuts down gracefully: requests and writes that have started
//! are finished.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::app::{App, PictureStorage, Settings};
use crate::broker::{Broker, BrokerEvent};
use crate::clock::Clock;
use crate::config::{LimitArgs, PictureLocation, VideoArgs};
use crate::domain::{Shop, ShopId, currency};
use crate::http::address_key::ConnectionsPerAddress;
use crate::http::admission::Admission;
use crate::http::auth::TokenAuth;
use crate::http::auth::jwks::JwksJob;
use crate::http::connection_limit::ConnectionLimiter;
use crate::http::{self, AddressLimit, AppState, ContentHosts, DemoHosts, HlsJs, Origins, PagePolicy, TrustedProxies};
use crate::store::{self, Store};

/// How long the start waits for a database that is down.
const STORE_START_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for the broker; without the broker a node starts anyway.
const BROKER_START_TIMEOUT: Duration = Duration::from_secs(3);
/// Open files reserved for the database, the listener and the log.
const RESERVED_FILES: u64 = 256;
/// The maximum number of connections if the operator sets none.
const DEFAULT_CONNECTIONS_MAX: usize = 100_000;
const JOINS_PER_CORE: usize = 1_000;
/// Sign-in codes that one client address may try. Customers behind one address are many, and a code has 160 bits.
const SIGN_IN_ATTEMPTS_PER_S: f64 = 10.0;
const SIGN_IN_ATTEMPTS_BURST: f64 = 60.0;
/// Codes by e-mail that one client address may ask for. A mailbox has a limit of its own.
const CODE_REQUESTS_PER_S: f64 = 0.1;
const CODE_REQUESTS_BURST: f64 = 20.0;
/// Codes that no coupon has. Many people may share one address and mistype; a code of eight letters or digits cannot be guessed at this rate.
const WRONG_CODES_PER_S: f64 = 1.0;
const WRONG_CODES_BURST: f64 = 60.0;
/// A metrics collector needs one or two connections.
const METRICS_CONNECTIONS_MAX: usize = 32;
/// Connections that may wait to be accepted, as far as the system allows. When this queue is full, the kernel drops new
/// connections, and a client retries a second later. Many viewers who reconnect at once would fill the usual thousand.
const LISTEN_BACKLOG: u32 = 16_384;
/// How long a viewer may stay after the frame `moving`.
const MOVE_TIMEOUT_MS: i64 = 1_500;
/// The same if there are other nodes: a phone needs time to connect to another one.
const MOVE_TIMEOUT_IN_CLUSTER_MS: i64 = 5_000;
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// How long a node in a cluster serves as before after `/readyz` has failed: a load balancer checks every few seconds.
const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(5);

/// Why a node did not start. The operator can fix all of these, so the exit code is 2.
#[derive(thiserror::Error, Debug)]
pub enum StartError {
    #[error("{0}")]
    Config(String),
    #[error(
        "cannot listen on {address}: {error}\nchoose another address with {setting}; 127.0.0.1:0 takes any free port"
    )]
    Listen { setting: &'static str, address: SocketAddr, error: std::io::Error },
    #[error("--store (LIVESOUK_STORE): {0}")]
    Store(store::Error),
    #[error("the app did not start: {0}")]
    App(crate::app::Error),
}

/// Everything that a node is started with.
pub struct NodeConfig {
    pub listen: SocketAddr,
    /// The address that serves metrics without authentication.
    pub metrics_listen: Option<SocketAddr>,
    pub store: Store,
    /// The broker and the queue of its deliveries.
    pub broker: (Broker, mpsc::Receiver<BrokerEvent>),
    pub clock: Clock,
    pub shop: Shop,
    pub auth: TokenAuth,
    pub origins: Origins,
    /// Hosts from which the pages may load.
    pub content_hosts: ContentHosts,
    pub trusted_proxies: TrustedProxies,
    /// The hosts to which a demo answers; `None` for a shop, which gives no tokens away.
    pub demo_hosts: Option<DemoHosts>,
    pub settings: Settings,
    pub limits: LimitArgs,
    pub video: VideoArgs,
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

/// Opens the store. Retries for a while if the database is not up yet.
pub async fn open_store(url: &str, clock: &Clock, sell_connections: usize) -> Result<Store, StartError> {
    retry_until_up(async || Store::open(url, clock.clone(), sell_connections).await).await
}

/// Migrates the database of the store. Retries for a while if it is not up yet.
pub async fn migrate_store(url: &str, clock: &Clock) -> Result<(), StartError> {
    retry_until_up(async || Store::migrate(url, clock.clone()).await).await
}

async fn retry_until_up<T>(attempt: impl AsyncFn() -> store::Result<T>) -> Result<T, StartError> {
    let give_up = Instant::now() + STORE_START_TIMEOUT;
    let mut pause = Duration::from_millis(500);
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if error.is_transient() && Instant::now() + pause < give_up => {
                // Like a log line, this does not panic when stderr is on a full disk.
                let _ = writeln!(std::io::stderr(), "the database is not available yet ({error}); retrying");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(3));
            }
            Err(error) => return Err(StartError::Store(error)),
        }
    }
}

/// Opens the storage of uploaded pictures.
pub fn picture_storage(location: PictureLocation) -> Result<Option<PictureStorage>, StartError> {
    match location {
        PictureLocation::Nowhere => {
            tracing::info!("nobody can upload pictures: --pictures-dir is not given");
            Ok(None)
        }
        PictureLocation::Folder(folder) => match PictureStorage::folder(folder) {
            Ok(storage) => Ok(Some(storage)),
            Err(error) => Err(StartError::Config(format!(
                "--pictures-dir (LIVESOUK_PICTURES_DIR): nothing can be written there: {error}"
            ))),
        },
        #[cfg(feature = "s3")]
        PictureLocation::S3(url) => match PictureStorage::s3(&url) {
            Ok(storage) => Ok(Some(storage)),
            Err(error) => Err(StartError::Config(format!("--pictures-s3 (LIVESOUK_PICTURES_S3): {error}"))),
        },
    }
}

/// The shop of this store, and whether it was created now.
pub async fn find_or_create_shop(store: &Store, title: &str, currency: &str) -> Result<(Shop, bool), StartError> {
    if let Some(shop) = store.shop().await.map_err(StartError::Store)? {
        return Ok((shop, false));
    }
    if currency::decimals(currency).is_none() {
        return Err(StartError::Config(format!("--currency {currency} is not a currency of ISO 4217, like SAR")));
    }
    let shop =
        Shop { id: ShopId::new(), title: title.to_owned(), titles: Default::default(), currency: currency.to_owned() };
    let id = shop.id;
    let shop = store.create_shop(shop).await.map_err(StartError::Store)?;
    let is_new = shop.id == id;
    Ok((shop, is_new))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Otherwise the port would be blocked for a minute after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// The maximum number of connections: the setting, as far as the limit on open files allows it.
fn connections_max(requested: Option<usize>, raise: impl FnOnce(u64) -> u64) -> usize {
    let wanted = requested.unwrap_or(DEFAULT_CONNECTIONS_MAX);
    let files = raise(wanted as u64 + RESERVED_FILES);
    let max = files.saturating_sub(RESERVED_FILES).max(files / 2) as usize;
    if requested.is_some_and(|requested| max < requested) {
        tracing::warn!(
            "--connections-max is {wanted}, but this process may open only {files} files: at most {max} connections \
             are accepted; raise the limit to {} (ulimit -n, or LimitNOFILE= of systemd)",
            wanted as u64 + RESERVED_FILES
        );
    }
    wanted.min(max)
}

/// Raises the limit on open files as far as allowed, and returns the new limit.
fn raise_file_limit(wanted: u64) -> u64 {
    let soft = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1_024, |(soft, _)| soft);
    if wanted <= soft { soft } else { rlimit::increase_nofile_limit(wanted).unwrap_or(soft) }
}

impl Node {
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        let NodeConfig {
            listen,
            metrics_listen,
            store,
            broker,
            clock,
            shop,
            auth,
            origins,
            content_hosts,
            trusted_proxies,
            demo_hosts,
            settings,
            limits,
            video,
        } = config;
        let per_address =
            ConnectionsPerAddress { connections: limits.connections_per_address, exempt: limits.address_exempt };
        let connections_max = connections_max(limits.connections_max, raise_file_limit);
        let connections = ConnectionLimiter::new(connections_max, per_address);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let joins = limits.joins_per_second.unwrap_or((cores * JOINS_PER_CORE) as f64);
        let admission = Arc::new(Admission::new(joins, limits.request_limits, auth.ticket_keys(), clock.now()));
        let drain_ms = (limits.drain_seconds * 1_000.0) as i64;
        let default_grace = if broker.0.is_shared() { DEFAULT_GRACE_PERIOD } else { Duration::ZERO };
        let grace = limits.grace_seconds.map_or(default_grace, Duration::from_secs_f64);
        let bind = |setting, address| bind(address).map_err(|error| StartError::Listen { setting, address, error });
        let listener = bind("--listen (LIVESOUK_LISTEN)", listen)?;
        let bind_metrics = |address| bind("--metrics-listen (LIVESOUK_METRICS_LISTEN)", address);
        let metrics_listener = metrics_listen.map(bind_metrics).transpose()?;
        let hls_js = video.hls_js.as_deref().map(HlsJs::read).transpose();
        let hls_js =
            hls_js.map_err(|why| StartError::Config(format!("--hls-js (LIVESOUK_HLS_JS): {why}")))?.map(Arc::new);
        let given_form = settings.stripe.as_ref().and_then(|stripe| stripe.card_form.as_ref());
        let form_of_pages = settings.stripe_endpoints.as_ref().map(|endpoints| endpoints.script.as_str());
        let card_form = given_form.map(|form| form.script.as_str()).or(form_of_pages);
        let page_policy = Arc::new(
            PagePolicy::new(origins.allowed(), origins.base_url(), &content_hosts, card_form)
                .map_err(StartError::Config)?,
        );
        let stop = CancellationToken::new();
        if !broker.0.wait_until_up(BROKER_START_TIMEOUT).await {
            tracing::warn!("the broker is not available: selling works; chat starts when the broker is available");
        }
        let app = App::start(store, broker, clock, shop, settings, stop.clone()).await.map_err(StartError::App)?;
        let auth = Arc::new(auth);
        if !auth.jwks().is_empty() {
            app.start_job(JwksJob(auth.clone()));
        }
        let state = AppState {
            app,
            auth,
            origins: Arc::new(origins),
            page_policy,
            trusted_proxies: Arc::new(trusted_proxies),
            demo_hosts: demo_hosts.map(Arc::new),
            admission,
            sign_in_attempts: Arc::new(AddressLimit::new(SIGN_IN_ATTEMPTS_PER_S, SIGN_IN_ATTEMPTS_BURST)),
            code_requests: Arc::new(AddressLimit::new(CODE_REQUESTS_PER_S, CODE_REQUESTS_BURST)),
            wrong_codes: Arc::new(AddressLimit::new(WRONG_CODES_PER_S, WRONG_CODES_BURST)),
            wrong_keys: Arc::new(AddressLimit::new(SIGN_IN_ATTEMPTS_PER_S, SIGN_IN_ATTEMPTS_BURST)),
            key_limit: Arc::default(),
            connections,
            request_metrics: Default::default(),
            deflate: limits.deflate,
            hls_js,
        };
        Ok(Self { listener, metrics_listener, state, grace, drain_ms, stop })
    }

    /// The app, for code that runs a node inside its own process.
    pub fn app(&self) -> &App {
        &self.state.app
    }

    /// The address on which the node listens; with port 0, the real port.
    pub fn address(&self) -> Result<SocketAddr, StartError> {
        self.listener.local_addr().map_err(|error| StartError::Config(error.to_string()))
    }

    /// The separate address of the metrics, if there is one.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `shutdown`, then moves viewers away, finishes started work and closes the store.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, metrics_listener, state, grace, drain_ms, stop } = self;
        let app = state.app.clone();
        let closed = CancellationToken::new();
        if let Some(metrics_listener) = metrics_listener {
            // Until the very end, so that operators can watch the drain.
            let few_connections = ConnectionLimiter::new(METRICS_CONNECTIONS_MAX, ConnectionsPerAddress::none());
            tokio::spawn(http::server::serve(
                metrics_listener,
                http::metrics::router(state.clone()),
                few_connections,
                state.trusted_proxies.clone(),
                app.clock().clone(),
                stop.clone(),
            ));
        }
        let (connections, proxies) = (state.connections.clone(), state.trusted_proxies.clone());
        let router = router_from_worker(state).await;
        let clock = app.clock().clone();
        let serving = tokio::spawn(http::server::serve(listener, router, connections, proxies, clock, closed.clone()));
        shutdown.await;
        tracing::info!(grace_ms = grace.as_millis() as u64, drain_ms, "the node is shutting down");
        // `/readyz` fails from now on, and the load balancer stops sending traffic. Clients that still come are served.
        app.start_draining();
        sleep(grace).await;
        // No new connections from here on. Connected viewers get the frame `moving` one after the other, and are served until
        // they leave.
        closed.cancel();
        let rooms = app.rooms().all();
        let (within_ms, last_ms) = match app.is_clustered() {
            true => (MOVE_TIMEOUT_IN_CLUSTER_MS, drain_ms + MOVE_TIMEOUT_IN_CLUSTER_MS),
            false => (MOVE_TIMEOUT_MS, drain_ms),
        };
        rooms.iter().for_each(|room| room.drain(drain_ms, within_ms));
        let drain_deadline = Instant::now() + Duration::from_millis(last_ms.unsigned_abs());
        while Instant::now() < drain_deadline && rooms.iter().any(|room| room.has_connections()) {
            sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
        let began = Instant::now();
        let since = || began.elapsed().as_millis() as u64;
        tracing::info!(
            rooms_with_viewers = rooms.iter().filter(|room| room.has_connections()).count(),
            "viewers were moved"
        );
        let finish = async {
            let _ = serving.await;
            tracing::info!(took_ms = since(), "requests are finished");
            app.finish().await;
            tracing::info!(took_ms = since(), "background work is finished");
        };
        if tokio::time::timeout(SHUTDOWN_DEADLINE, finish).await.is_err() {
            tracing::warn!("the shutdown deadline has passed: unfinished work was aborted; acknowledged work is safe");
        }
    }
}

/// The router, made on a worker thread. The description of its routes leaves megabytes of free memory with the thread that makes it, and
/// only a worker thread uses them again: for the viewers.
async fn router_from_worker(state: AppState) -> axum::Router {
    match tokio::spawn(async move { http::router(state) }).await {
        Ok(router) => router,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("nobody aborts this task, and the runtime is running"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_max_follows_the_limit_on_open_files() {
        for (requested, files, expected) in [
            (None, 1_048_576, 100_000),
            (None, 20_000, 19_744),
            (Some(5_000), 20_000, 5_000),
            (Some(50_000), 20_000, 19_744),
            (Some(1_000), 300, 150),
        ] {
            assert_eq!(connections_max(requested, |_| files), expected, "{requested:?} with {files}");
        }
    }
}
