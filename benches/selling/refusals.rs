//! The cost of a refusal when an offer is sold out: in memory on one core, with allocations counted, and through real
//! sockets.

use std::alloc::System;
use std::fmt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use client::{JoinOptions, LiveSocket, Rest};
use livesouk::app::{App, Error};
use livesouk::domain::{IdempotencyKey, OfferId, Refusal};
use reqwest::Method;
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use testkit::bench_servers::LIMITS_OFF;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::contender::{Contender, viewer};
use super::report::median;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const UNITS: i64 = 5;

pub struct RefusalCost {
    pub per_core_second: f64,
    allocations: f64,
    sockets_per_second: f64,
}

impl fmt::Display for RefusalCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "refusals of a sold-out offer")?;
        writeln!(
            f,
            "{:<44} {:>10.0} per second and core, {:.3} allocations each",
            "in memory, the whole verb", self.per_core_second, self.allocations
        )?;
        writeln!(
            f,
            "{:<44} {:>10.0} per second, client on the same two cores",
            "through WebSockets", self.sockets_per_second
        )
    }
}

pub async fn measure(contenders: &[Contender], rounds: usize, length: Duration) -> anyhow::Result<RefusalCost> {
    let mut of_livesouk = Vec::new();
    for contender in contenders {
        of_livesouk.extend(contender.create_offer(UNITS).await?);
    }
    let (app, offer) = of_livesouk.first().context("no Livesouk store to measure")?;
    sell_out(app, *offer).await?;
    let (mut rates, mut allocations, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}: refusals");
        let (rate, allocated) = measure_in_memory(app, *offer, length / 3).await?;
        rates.push(rate);
        allocations.push(allocated);
    }
    let server = RefusalServer::start().await?;
    for _ in 0..rounds {
        sockets.push(server.measure_refusals(length / 3).await?);
    }
    Ok(RefusalCost {
        per_core_second: median(rates),
        allocations: median(allocations),
        sockets_per_second: median(sockets),
    })
}

async fn sell_out(app: &App, offer: OfferId) -> anyhow::Result<()> {
    for n in 0..=UNITS {
        let sold = app.checkout.buy(&viewer(&format!("early-{n}"))?, offer, 1, key()?).await;
        ensure!(sold.is_ok() == (n < UNITS), "buyer {n}: {sold:?}");
    }
    Ok(())
}

fn key() -> anyhow::Result<IdempotencyKey> {
    IdempotencyKey::parse("key-00001").map_err(|refusal| anyhow::anyhow!("{refusal}"))
}

/// One task sends the requests, so it uses one core. The buyer and the keys are made before, because a request brings
/// them.
async fn measure_in_memory(app: &App, offer: OfferId, length: Duration) -> anyhow::Result<(f64, f64)> {
    let late = viewer("late")?;
    let keys: Vec<IdempotencyKey> = (0..1_000).map(|_| key()).collect::<Result<_, _>>()?;
    let (app, start) = (app.clone(), Instant::now());
    let work = tokio::spawn(async move {
        let (mut refused, mut allocations) = (0_u64, 0);
        while start.elapsed() < length {
            let keys = keys.clone();
            let region = Region::new(ALLOCATOR);
            for key in keys {
                if let Err(Error::Refused(Refusal::SoldOutForNow)) = app.checkout.buy(&late, offer, 1, key).await {
                    refused += 1;
                }
            }
            allocations += region.change().allocations;
        }
        (refused, allocations)
    });
    let (refused, allocations) = work.await?;
    ensure!(refused > 0, "no purchase was refused");
    Ok((refused as f64 / start.elapsed().as_secs_f64(), allocations as f64 / refused as f64))
}

/// A demo server of its own, and viewers that send purchases over WebSockets.
struct RefusalServer {
    child: Child,
    _folder: tempfile::TempDir,
    url: String,
    stream: String,
    offer: String,
    token: String,
}

const SOCKETS: usize = 8;
/// Pending requests on each socket.
const REQUESTS_IN_FLIGHT: usize = 64;

impl RefusalServer {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_livesouk"))
            .arg("demo")
            .args(LIMITS_OFF)
            .args(["--json", "--no-crowd", "--listen", "127.0.0.1:0", "--log", "error", "--data"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().context("no stdout")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
        let started: Value = serde_json::from_str(&line)?;
        let text = |name: &str| started[name].as_str().unwrap_or_default().to_owned();
        let (listen, stream, host) = (text("listen"), text("stream"), text("host_token"));
        let url = format!("http://{listen}");
        let host = Rest::new(&url).with_token(&host);
        let post = async |path: &str, body: Value| -> anyhow::Result<Value> {
            let response = host.try_send(Method::POST, path, &[("idempotency-key", "key-of-all")], Some(body)).await?;
            ensure!(response.is_success(), "POST {path} was answered with status {}", response.status);
            Ok(response.body)
        };
        let product = json!({"title": "Lamp", "variants": [{"name": "One", "price": 100, "stock": 1}]});
        let product = post("/v1/products", product).await?;
        let offer = json!({"variant": product["variants"][0]["id"], "kind": "regular", "price": 100, "quantity": 1});
        let offer = post(&format!("/v1/streams/{stream}/offers"), offer).await?;
        let offer = offer["id"].as_str().unwrap_or_default().to_owned();
        post(&format!("/v1/offers/{offer}/open"), json!({})).await?;
        post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await?;
        let token = post("/v1/dev/tokens", json!({"name": "Late", "role": "viewer"})).await?;
        let token = token["token"].as_str().unwrap_or_default().to_owned();
        Ok(Self { child, _folder: folder, url, stream, offer, token })
    }

    async fn measure_refusals(&self, length: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut socket_tasks = JoinSet::new();
        for n in 0..SOCKETS {
            let (url, stream) = (self.url.clone(), self.stream.clone());
            let session = Some(format!("late-session-{n}"));
            let options = JoinOptions { token: Some(self.token.clone()), session, ..JoinOptions::default() };
            let request =
                json!({"ref": "1", "do": "buy", "offer": self.offer, "qty": 1, "key": format!("key-of-late-{n}")});
            let request = Message::text(request.to_string());
            socket_tasks.spawn(async move {
                let mut socket = LiveSocket::connect(&url, &stream, &options).await?;
                for _ in 0..REQUESTS_IN_FLIGHT {
                    socket.send(request.clone()).await?;
                }
                let mut refused = 0_u64;
                while start.elapsed() < length {
                    let text = socket.receive_text().await?;
                    if text.contains("\"sold_out") && text.contains("\"reply\"") {
                        refused += 1;
                        socket.send(request.clone()).await?;
                    }
                }
                anyhow::Ok(refused)
            });
        }
        let mut refused = 0;
        while let Some(one) = socket_tasks.join_next().await {
            refused += one??;
        }
        ensure!(refused > 0, "no purchase was refused");
        Ok(refused as f64 / start.elapsed().as_secs_f64())
    }
}

impl Drop for RefusalServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
