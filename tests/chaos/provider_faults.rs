//! The payment provider of the scene `money`, with its faults: outages, answers that are lost at every step, and bad links to it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fake_stripe::FakeStripe;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep, sleep_until};

use crate::injector::FaultInjector;
use crate::support::proxy::Proxy;

/// The share of calls that fail while single calls fail.
const FAILING_SHARE: f64 = 0.25;
/// How long the provider is healthy between two faults.
const HEALTHY_MS: std::ops::Range<u64> = 2_000..6_000;
/// Of the buyers whom the bank asks, this share agrees, and this share refuses; the others leave the page.
const AGREE: f64 = 0.7;
const REFUSE: f64 = 0.15;

pub struct Provider {
    pub fake: Arc<FakeStripe>,
    /// Between each node and the provider.
    pub links: Vec<Proxy>,
}

impl Provider {
    /// Injects one fault after the other until the given time. Gives how many.
    pub async fn run_faults(&self, injector: &FaultInjector, until: Instant, mut rng: StdRng) -> usize {
        let mut injected = 0;
        loop {
            sleep(Duration::from_millis(rng.random_range(HEALTHY_MS))).await;
            if Instant::now() >= until {
                return injected;
            }
            self.inject(injector, injected % 4, until, &mut rng).await;
            injected += 1;
        }
    }

    async fn inject(&self, injector: &FaultInjector, kind: usize, until: Instant, rng: &mut StdRng) {
        let (name, longest_ms) = [
            ("SingleCallsFail", 12_000),
            ("ProviderDown", 8_000),
            ("ProviderLinkCut", 2_000),
            ("ProviderLinkSilent", 4_000),
        ][kind];
        let window = injector.begin(name, None);
        let length = Duration::from_millis(rng.random_range(longest_ms / 3..longest_ms));
        let link = &self.links[rng.random_range(0..self.links.len())];
        match name {
            "SingleCallsFail" => self.fake.set_random_faults(FAILING_SHARE),
            "ProviderDown" => self.fake.set_down(true),
            "ProviderLinkCut" => link.cut(),
            _ if rng.random_bool(0.5) => link.lose_replies(),
            _ => link.black_hole(),
        }
        sleep_until(until.min(Instant::now() + length)).await;
        self.heal();
        injector.end(window, String::new());
    }

    pub fn heal(&self) {
        self.fake.clear_faults();
        self.links.iter().for_each(Proxy::restore);
    }

    /// Plays the bank: some of the buyers whom it asks agree, some refuse, and some leave. Ends with the run.
    pub async fn run_bank(&self, mut rng: StdRng) {
        let mut asked = HashSet::new();
        loop {
            for intent in self.fake.intents() {
                let id = intent["id"].as_str().unwrap_or_default();
                if intent["status"] != "requires_action" || !asked.insert(id.to_owned()) {
                    continue;
                }
                let choice: f64 = rng.random();
                if choice < AGREE + REFUSE {
                    self.fake.authenticate(id, choice < AGREE);
                }
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}
