//! The host: opens one sale after another, and restocks, pauses, extends and closes them.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::checkout_client::{CheckoutClient, CheckoutRequest, RequestRoute};
use crate::journal::{HostAction, RequestOutcome, TextId};
use crate::run_context::{OpenSale, RunContext};

/// All units of the run. They move between pools and offers, and are never created or lost.
pub const UNITS: i64 = 1_000_000;
pub const HOLD_MS: i64 = 10_000;
const PERMANENT_OFFER_UNITS: i64 = 100_000;
/// Maximum number of concurrent sales.
const SALES_MAX: usize = 4;

pub struct ChaosHost {
    context: Arc<RunContext>,
    token: String,
    variants: Vec<String>,
    rng: StdRng,
}

/// The kinds of sale: whether it is a flash sale, its units, and its limit per buyer.
const SALE_SHAPES: [(bool, i64, i64); 7] =
    [(false, 12, 1), (true, 90, 1), (false, 40, 2), (true, 8, 1), (false, 100, 2), (false, 5, 1), (true, 60, 2)];

impl ChaosHost {
    /// Creates the product and a live stream.
    pub async fn open_show(
        board_of: impl FnOnce(String) -> RunContext,
        rest: &crate::support::rest::Rest,
        rng: StdRng,
    ) -> ChaosHost {
        let variant = |name: &str| json!({"name": name, "price": 1_000, "stock": UNITS / 4});
        let variants = ["Blue", "Red", "Green", "White"].map(variant);
        let product = json!({"title": "Lamp", "variants": variants});
        let product = rest.post("/v1/products", product).await.expect(201);
        let stream = rest.post("/v1/streams", json!({"title": "Chaos show"})).await.expect(201);
        let stream = stream["id"].as_str().expect("an id").to_owned();
        rest.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
        let variants = product["variants"].as_array().expect("a list").iter();
        let variants = variants.map(|variant| variant["id"].as_str().expect("an id").to_owned()).collect();
        let context = Arc::new(board_of(stream));
        let token = context.token("the-host", "host");
        ChaosHost { context, token, variants, rng }
    }

    pub fn context(&self) -> Arc<RunContext> {
        self.context.clone()
    }

    /// A copy of the host that runs the sales, while this one is kept for the end of the run.
    pub fn fork(&self, rng: StdRng) -> ChaosHost {
        ChaosHost { context: self.context.clone(), token: self.token.clone(), variants: self.variants.clone(), rng }
    }

    /// Opens an offer that never runs out, and then sale after sale until the run is over.
    pub async fn live(mut self) {
        let mut sales = JoinSet::new();
        if let Some(offer) = self.open_permanent_sale(PERMANENT_OFFER_UNITS, 3).await {
            self.context.add_sale(OpenSale { offer, per_buyer: 3 });
        }
        let mut shapes = SALE_SHAPES.into_iter().cycle();
        while !self.context.is_calm() {
            while sales.len() < SALES_MAX
                && let Some((flash, units, per_buyer)) = shapes.next()
            {
                let more = self.rng.random_range(0..4);
                let form = offer_form(self.pick_variant(), flash, units + more, per_buyer);
                let hand =
                    SaleTask { context: self.context.clone(), token: self.token.clone(), rng: fork_rng(&mut self.rng) };
                sales.spawn(hand.run_sale(form, flash));
                sleep(Duration::from_millis(500)).await;
            }
            tokio::select! {
                _ = sales.join_next() => {}
                () = self.context.wait_until_calm() => {}
            }
        }
        sales.join_all().await;
    }

    /// Refunds orders now and then, until the run is calm.
    pub async fn refund_orders(mut self) {
        let name: TextId = "the-host".into();
        let mut number = 0;
        while !self.context.is_calm() {
            sleep(Duration::from_millis(self.rng.random_range(700..1_500))).await;
            let Some((offer, order)) = self.context.journal.paid(self.rng.random_range(0..60)) else { continue };
            number += 1;
            let key: TextId = format!("the-host-refund-{number:05}").into();
            let request = CheckoutRequest::Refund { offer, order, restock: self.rng.random_bool(0.5) };
            let checkout = CheckoutClient { context: &self.context, buyer: &name, token: &self.token };
            // The same refund on two nodes at the same moment, and then retries until the outcome is certain.
            let node = self.rng.random_range(0..3);
            let (one, other) = (RequestRoute::rest(node), RequestRoute::rest((node + 1) % 3));
            let mut reply = tokio::join!(checkout.ask(&request, &key, one), checkout.ask(&request, &key, other)).0;
            for _ in 0..20 {
                if !matches!(reply, RequestOutcome::Unknown(_)) {
                    break;
                }
                sleep(Duration::from_millis(self.rng.random_range(100..500))).await;
                reply = checkout.ask(&request, &key, RequestRoute::rest(self.rng.random_range(0..3))).await;
            }
        }
    }

    /// Opens a sale that stays open.
    pub async fn open_permanent_sale(&mut self, units: i64, per_buyer: i64) -> Option<TextId> {
        self.open_sale(units, per_buyer, HOLD_MS / 1_000).await
    }

    /// The same with another length of the holds.
    pub async fn open_sale(&mut self, units: i64, per_buyer: i64, hold_s: i64) -> Option<TextId> {
        let mut hand =
            SaleTask { context: self.context.clone(), token: self.token.clone(), rng: fork_rng(&mut self.rng) };
        let mut form = offer_form(self.pick_variant(), false, units, per_buyer);
        form["hold_s"] = json!(hold_s);
        hand.create_and_open(form).await
    }

    /// Sales of one variant share its stock pool, and so a row; most sales do not.
    fn pick_variant(&mut self) -> &str {
        self.variants.choose(&mut self.rng).expect("there are variants")
    }
}

pub fn fork_rng(rng: &mut StdRng) -> StdRng {
    use rand::SeedableRng;
    StdRng::seed_from_u64(rng.random())
}

fn offer_form(variant: &str, flash: bool, units: i64, per_buyer: i64) -> Value {
    let mut form = json!({"variant": variant, "kind": "regular", "price": 1_000 + units, "quantity": units,
        "per_buyer": per_buyer, "hold_s": HOLD_MS / 1_000});
    if flash {
        form["kind"] = json!("flash");
        form["countdown_s"] = json!(10);
        form["duration_s"] = json!(60);
    }
    form
}

/// What the host does about one sale.
struct SaleTask {
    context: Arc<RunContext>,
    token: String,
    rng: StdRng,
}

impl SaleTask {
    async fn run_sale(mut self, form: Value, flash: bool) {
        let per_buyer = form["per_buyer"].as_i64().unwrap_or(1);
        let Some(offer) = self.create_and_open(form).await else { return };
        self.context.add_sale(OpenSale { offer: offer.clone(), per_buyer });
        let turns = if flash { 14 } else { self.rng.random_range(5..12) };
        for _ in 0..turns {
            self.pause(1_000, 2_500).await;
            match self.rng.random_range(0..12) {
                0..3 => {
                    let add = self.rng.random_range(1..10);
                    self.act_on_offer(&offer, "restock", json!({"add": add})).await;
                }
                3 if flash => drop(self.act_on_offer(&offer, "extend", json!({"seconds": 10})).await),
                4 => {
                    self.act_on_offer(&offer, "pause", json!({})).await;
                    self.pause(100, 800).await;
                    while self.act_on_offer(&offer, "open", json!({})).await.is_none()
                        && !self.context.over.is_cancelled()
                    {
                        self.pause(100, 500).await;
                    }
                }
                _ => {}
            }
            if self.context.is_calm() {
                break;
            }
        }
        // Every third flash sale ends by its time window, while viewers still buy; the host closes the others.
        if flash && self.rng.random_range(0..3) == 0 {
            for _ in 0..90 {
                if !self.context.is_calm() {
                    self.pause(1_000, 1_001).await;
                }
            }
        } else {
            self.act_on_offer(&offer, "close", json!({})).await;
            // For a while, buyers try to buy what is closed.
            self.pause(500, 2_000).await;
        }
        self.context.remove_sale(&offer);
    }

    /// Creates an offer and opens it. An attempt with an unknown outcome may leave a draft behind, which does no harm.
    async fn create_and_open(&mut self, form: Value) -> Option<TextId> {
        let path = format!("/v1/streams/{}/offers", self.context.stream);
        let offer = loop {
            match self.post(&path, form.clone()).await {
                Ok((201, body)) => break TextId::from(body["id"].as_str().expect("an offer has an id")),
                _ if self.context.over.is_cancelled() => return None,
                _ => self.pause(200, 600).await,
            }
        };
        while self.act_on_offer(&offer, "open", json!({})).await != Some(true) {
            if self.context.over.is_cancelled() {
                return None;
            }
            self.pause(100, 500).await;
        }
        Some(offer)
    }

    /// `Some(true)`: done. `Some(false)`: certainly not done. `None`: unknown.
    async fn act_on_offer(&mut self, offer: &TextId, action: &'static str, body: Value) -> Option<bool> {
        let sent_at = self.context.now();
        let answer = self.post(&format!("/v1/offers/{offer}/{action}"), body).await;
        let done = match answer {
            Ok((200, _)) => Some(true),
            Ok((400..500, _)) => Some(false),
            _ => None,
        };
        self.context.journal.record_host_action(HostAction {
            offer: offer.clone(),
            action,
            sent_at,
            answered_at: self.context.now(),
            done,
        });
        done
    }

    async fn post(&mut self, path: &str, body: Value) -> Result<(u16, Value), ()> {
        let node = self.rng.random_range(0..self.context.urls.len());
        let rest = self.context.rest(node, &self.token);
        let key = crate::support::shop::key();
        let headers = [("idempotency-key", key.as_str())];
        let sent = rest.try_send(reqwest::Method::POST, path, &headers, Some(body));
        let answer = tokio::time::timeout(Duration::from_secs(20), sent).await;
        answer.map_err(drop)?.map(|answer| (answer.status, answer.body)).map_err(drop)
    }

    async fn pause(&mut self, from_ms: u64, to_ms: u64) {
        sleep(Duration::from_millis(self.rng.random_range(from_ms..to_ms))).await;
    }
}
