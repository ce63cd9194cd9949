//! A running node: opens the store, starts the app, listens, and stops without losing what was begun.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Settings};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::domain::{Shop, ShopId};
use crate::http::auth::Auth;
use crate::http::{self, Door, Origins, Proxies};
use crate::store::{self, Store};

/// How long a database that is down at start is waited for.
const STORE_PATIENCE: Duration = Duration::from_secs(10);
/// How long viewers get to move, and work under way to end, once we are asked to stop.
const LEAVE_MS: i64 = 500;
/// How long a viewer who was told to move may stay.
const MOVE_MS: i64 = 1_500;
const STOP_DEADLINE: Duration = Duration::from_secs(20);

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
pub struct Plan {
    pub listen: SocketAddr,
    pub store: Store,
    pub clock: Clock,
    pub shop: Shop,
    pub auth: Auth,
    pub origins: Origins,
    pub proxies: Proxies,
    pub settings: Settings,
    pub connections_max: usize,
}

/// A node that listens and is ready to serve.
pub struct Node {
    listener: TcpListener,
    door: Door,
    connections_max: usize,
    stop: CancellationToken,
}

/// Opens the store, waiting for a database that is not up yet.
pub async fn open_store(url: &str, clock: &Clock, sell_connections: usize) -> Result<Store, StartError> {
    let give_up = Instant::now() + STORE_PATIENCE;
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

impl Node {
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        let Plan { listen, store, clock, shop, auth, origins, proxies, settings, connections_max } = plan;
        let listener =
            TcpListener::bind(listen).await.map_err(|error| StartError::Listen { address: listen, error })?;
        let stop = CancellationToken::new();
        let app =
            App::start(store, Broker::local(), clock, shop, settings, stop.clone()).await.map_err(StartError::App)?;
        let door = Door { app, auth: Arc::new(auth), origins: Arc::new(origins), proxies: Arc::new(proxies) };
        Ok(Self { listener, door, connections_max, stop })
    }

    /// Where it really listens: with port 0, the port it got.
    pub fn address(&self) -> Result<SocketAddr, StartError> {
        self.listener.local_addr().map_err(|error| StartError::Config(error.to_string()))
    }

    /// Serves until `asked_to_stop`, then lets viewers go, finishes what was begun and closes the store.
    pub async fn serve(self, asked_to_stop: impl Future<Output = ()>) {
        let Self { listener, door, connections_max, stop } = self;
        let app = door.app.clone();
        let serving = tokio::spawn(http::serve::serve(listener, http::router(door), connections_max, stop.clone()));
        asked_to_stop.await;
        tracing::info!("stopping");
        for room in app.rooms().all() {
            room.drain(LEAVE_MS, MOVE_MS);
        }
        stop.cancel();
        let ending = async {
            let _ = serving.await;
            app.finish().await;
        };
        if tokio::time::timeout(STOP_DEADLINE, ending).await.is_err() {
            tracing::warn!("some work was cut at the end; what was acknowledged is safe");
        }
    }
}
