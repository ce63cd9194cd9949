//! The connection of a node to the database dies after the commit of a host's restock and before its reply. The host
//! repeats the request with its key at another node; the units may be added once only.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::fault::NODES;
use crate::host::ChaosHost;
use crate::injector::FaultInjector;
use crate::journal::TextId;
use crate::oracle::PromiseViolation;
use crate::postgres;

const PROMISE: &str = "a request of a host is carried out once";
const UNITS: i64 = 10;
/// Longer than a transaction takes, shorter than the deadline of a request.
const REPLIES_LOST: Duration = Duration::from_millis(400);
const OPEN_DEADLINE: Duration = Duration::from_secs(30);
/// After this time a restock without a certain answer counts as unknown.
const RETRY_DEADLINE: Duration = Duration::from_secs(60);

/// The offer that is restocked, and how often that was acknowledged.
pub struct CutCommits {
    offer: Option<TextId>,
    pub restocks: i64,
    /// Requests that never got a certain answer.
    unknown: i64,
}

/// Cuts commits until the run is over.
pub async fn cut_commits(
    injector: &FaultInjector,
    mut host: ChaosHost,
    mut rng: StdRng,
    began: Instant,
    length: Duration,
) -> CutCommits {
    let opened = timeout(OPEN_DEADLINE, host.open_permanent_sale(UNITS, 1)).await.ok().flatten();
    let mut cut = CutCommits { offer: opened, restocks: 0, unknown: 0 };
    let Some(offer) = cut.offer.clone() else { return cut };
    let token = injector.context.token("the-host", "host");
    while began.elapsed() + Duration::from_secs(10) < length {
        sleep(Duration::from_millis(rng.random_range(4_000..9_000))).await;
        let node = rng.random_range(0..NODES);
        let key = crate::support::shop::key();
        let restock = async |node: usize| {
            let rest = injector.context.rest(node, &token);
            let headers = [("idempotency-key", key.as_str())];
            let path = format!("/v1/offers/{offer}/restock");
            let sent = rest.try_send(reqwest::Method::POST, &path, &headers, Some(json!({"add": 1})));
            timeout(Duration::from_secs(20), sent).await.ok()?.ok().map(|answer| answer.status)
        };
        let first = {
            let hand = injector.nodes[node].lock().await;
            let window = injector.begin("replies to a host's commit are lost", Some(node));
            hand.proxy.lose_replies();
            let (status, ()) = tokio::join!(restock(node), async {
                sleep(REPLIES_LOST).await;
                hand.proxy.cut();
                sleep(Duration::from_millis(20)).await;
                hand.proxy.restore();
            });
            injector.end(window, format!("answered with {status:?}"));
            status
        };
        let mut status = first;
        let give_up = Instant::now() + RETRY_DEADLINE;
        while Instant::now() < give_up {
            match status {
                Some(200) => break,
                Some(code) if (400..500).contains(&code) && code != 429 => break,
                _ => sleep(Duration::from_millis(rng.random_range(200..600))).await,
            }
            status = restock(rng.random_range(0..NODES)).await;
        }
        match status {
            Some(200) => cut.restocks += 1,
            Some(code) if (400..500).contains(&code) => {}
            _ => cut.unknown += 1,
        }
    }
    cut
}

impl CutCommits {
    /// Every acknowledged restock was added once.
    pub async fn check(&self, injector: &FaultInjector) -> Option<PromiseViolation> {
        let offer = self.offer.as_ref()?;
        let mut database = postgres::connect(injector.database).await.expect("the database answers");
        let read = "select quantity from offers where id = $1::uuid";
        let quantity: i64 = sqlx::query_scalar(read)
            .bind(offer.to_string())
            .fetch_one(&mut database)
            .await
            .expect("the offer is there");
        let least = UNITS + self.restocks;
        let what =
            format!("{} restocks were acknowledged, {} are unknown: {quantity} units", self.restocks, self.unknown);
        println!("{what}");
        (!(least..=least + self.unknown).contains(&quantity)).then(|| PromiseViolation::new(PROMISE, what))
    }
}
