//! A buyer: buys, retries when there is no reply, pays or abandons the hold, and sometimes behaves badly.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::time::sleep;

use crate::checkout_client::{CheckoutClient, CheckoutRequest, RequestRoute};
use crate::journal::{RequestOutcome, SeenOrder, TextId};
use crate::run_context::{OpenSale, RunContext};

/// How often a request with an unknown outcome is retried, under its key, before the buyer gives up.
const ATTEMPTS_MAX: usize = 40;

/// The payment tokens of the buyers, with their percentage. The test provider defines what each of them does.
pub const TOKENS: [(&str, u32); 13] = [
    ("ok", 44),
    ("declined", 9),
    ("slow", 8),
    ("capture_fails", 8),
    ("timeout_after_charge", 7),
    ("500_after_charge", 6),
    ("webhook_twice", 3),
    ("webhook_before_reply", 3),
    ("webhook_never", 3),
    ("webhook_reordered", 2),
    ("cancel_too_late", 3),
    ("wrong_amount", 2),
    ("needs_action", 2),
];

pub struct ChaosBuyer {
    context: Arc<RunContext>,
    name: TextId,
    token: String,
    rng: StdRng,
    keys_made: usize,
    /// Earlier purchases, which are requested again.
    remembered: Vec<(OpenSale, i64, TextId)>,
}

impl ChaosBuyer {
    pub fn new(context: Arc<RunContext>, name: &str, rng: StdRng) -> ChaosBuyer {
        let token = context.token(name, "viewer");
        ChaosBuyer { context, name: name.into(), token, rng, keys_made: 0, remembered: Vec::new() }
    }

    /// Makes one purchase after another until the run is over, and finishes the last one.
    pub async fn live(mut self) {
        while !self.context.over.is_cancelled() {
            if let Some(sale) = self.context.pick_sale(&mut self.rng) {
                self.purchase(sale).await;
            }
            let pause = Duration::from_millis(self.rng.random_range(150..1_300));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.context.over.cancelled() => {}
            }
        }
    }

    async fn purchase(&mut self, sale: OpenSale) {
        let key = self.new_key();
        let (one, other) = self.two_nodes();
        let qty = if sale.per_buyer > 1 { self.rng.random_range(1..=2) } else { 1 };
        let request = CheckoutRequest::Buy { offer: sale.offer.clone(), qty };
        let bought = match self.rng.random_range(0..100) {
            // A double tap: the same key on two nodes at the same moment.
            0..12 => {
                let checkout = self.client();
                let (first, second) = tokio::join!(
                    checkout.ask(&request, &key, RequestRoute::rest(one)),
                    checkout.ask(&request, &key, RequestRoute::rest(other))
                );
                let first = first.done().or(second.done()).cloned();
                if first.is_some() { first } else { self.retry_until_certain(&request, &key).await }
            }
            // Two purchases: two keys on two nodes at the same moment.
            12..34 => {
                let more = self.new_key();
                let checkout = self.client();
                let (first, second) = tokio::join!(
                    checkout.ask(&request, &key, RequestRoute::rest(one)),
                    checkout.ask(&request, &more, RequestRoute::rest(other))
                );
                let second = second.done().cloned();
                if let (Some(first), Some(_)) = (first.done().cloned(), &second) {
                    self.finish_hold(first).await;
                }
                second.or(first.done().cloned())
            }
            // More units than the limit per buyer.
            34..38 => {
                let request = CheckoutRequest::Buy { offer: sale.offer.clone(), qty: sale.per_buyer + 1 };
                self.client().ask(&request, &key, RequestRoute::rest(one)).await.done().cloned()
            }
            // Disconnects before the reply and retries under the same key.
            38..48 => {
                let timeout = Duration::from_millis(self.rng.random_range(3..60));
                let _ = self.client().ask(&request, &key, RequestRoute::rest_with_timeout(one, timeout)).await;
                self.retry_until_certain(&request, &key).await
            }
            // Requests an earlier purchase again: the result must be the same order.
            48..53 => {
                if let Some((sale, qty, key)) = self.remembered.choose(&mut self.rng).cloned() {
                    let request = CheckoutRequest::Buy { offer: sale.offer, qty };
                    let _ = self.client().ask(&request, &key, RequestRoute::rest(one)).await;
                }
                return;
            }
            _ => self.retry_until_certain(&request, &key).await,
        };
        if let Some(seen) = bought {
            if self.remembered.len() < 50 {
                self.remembered.push((sale, seen.qty, key));
            }
            self.finish_hold(seen).await;
        }
    }

    /// Retries until the outcome is certain, on any node, under one key.
    async fn retry_until_certain(&mut self, request: &CheckoutRequest, key: &TextId) -> Option<SeenOrder> {
        for _ in 0..ATTEMPTS_MAX {
            let node = self.rng.random_range(0..self.context.urls.len());
            let way = if self.rng.random_bool(0.25) { RequestRoute::socket(node) } else { RequestRoute::rest(node) };
            match self.client().ask(request, key, way).await {
                RequestOutcome::Done(seen) => return Some(seen),
                RequestOutcome::Refused(code) if !matches!(code.as_str(), "busy" | "unavailable") => return None,
                _ => sleep(Duration::from_millis(self.rng.random_range(100..600))).await,
            }
        }
        None
    }

    /// Pays, cancels or abandons a hold.
    async fn finish_hold(&mut self, seen: SeenOrder) {
        if seen.status != "held" {
            return;
        }
        let (offer, order) = (seen.offer.clone(), seen.id.clone());
        let pay = CheckoutRequest::Pay { offer: offer.clone(), order: order.clone(), token: self.pick_token() };
        let cancel = CheckoutRequest::Cancel { offer, order };
        let (key, other) = (self.new_key(), self.new_key());
        let (here, there) = self.two_nodes();
        if self.context.is_calm() {
            if self.rng.random_bool(0.85) {
                let pay = CheckoutRequest::Pay { offer: seen.offer, order: seen.id, token: "ok" };
                self.retry_until_certain(&pay, &key).await;
            }
            return;
        }
        match self.rng.random_range(0..100) {
            0..50 => drop(self.retry_until_certain(&pay, &key).await),
            50..62 => drop(self.retry_until_certain(&cancel, &key).await),
            // Two tabs, two cards, two nodes.
            62..69 => {
                let checkout = self.client();
                tokio::join!(
                    checkout.ask(&pay, &key, RequestRoute::rest(here)),
                    checkout.ask(&pay, &other, RequestRoute::rest(there))
                );
                self.retry_until_certain(&pay, &key).await;
            }
            // One tab pays while the other cancels.
            69..75 => {
                let checkout = self.client();
                tokio::join!(
                    checkout.ask(&pay, &key, RequestRoute::rest(here)),
                    checkout.ask(&cancel, &other, RequestRoute::rest(there))
                );
            }
            // Pays at the very end of the hold.
            75..79 => {
                let left = (seen.hold_until - self.context.now() - self.rng.random_range(-300..200)).max(0);
                sleep(Duration::from_millis(left as u64)).await;
                self.retry_until_certain(&pay, &key).await;
            }
            // Abandons the hold.
            _ => {}
        }
    }

    fn pick_token(&mut self) -> &'static str {
        TOKENS.choose_weighted(&mut self.rng, |(_, weight)| *weight).expect("there are tokens").0
    }

    fn client(&self) -> CheckoutClient<'_> {
        CheckoutClient { context: &self.context, buyer: &self.name, token: &self.token }
    }

    fn new_key(&mut self) -> TextId {
        self.keys_made += 1;
        format!("{}-wish-{:06}", self.name, self.keys_made).into()
    }

    fn two_nodes(&mut self) -> (usize, usize) {
        let nodes = self.context.urls.len();
        let one = self.rng.random_range(0..nodes);
        (one, (one + self.rng.random_range(1..nodes)) % nodes)
    }
}
