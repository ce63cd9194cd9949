//! What everybody in the run knows: where the nodes are, what is on sale, what time it is, when it is over.

use std::sync::Mutex;

use livesouk::clock::Clock;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio_util::sync::CancellationToken;

use crate::journal::{Id, Journal, Millis};
use crate::oracle::Breach;
use crate::support::rest::Rest;
use crate::support::shop::{KEY, sign};

/// An offer that buyers are to press on.
#[derive(Debug, Clone)]
pub struct Sale {
    pub offer: Id,
    pub per_buyer: i64,
}

pub struct Board {
    /// Where the nodes listen; they keep their address when they are started again.
    pub urls: Vec<String>,
    pub stream: String,
    pub journal: Journal,
    pub clock: Clock,
    /// Buyers make no new wishes.
    pub over: CancellationToken,
    /// Nothing breaks any more; buyers mean it.
    earnest: CancellationToken,
    sales: Mutex<Vec<Sale>>,
    breaches: Mutex<Vec<Breach>>,
    rests: Vec<Rest>,
}

impl Board {
    pub fn new(urls: Vec<String>, stream: String, clock: Clock) -> Board {
        let rests = urls.iter().map(|url| Rest::new(url)).collect();
        let (journal, over, earnest) = (Journal::default(), CancellationToken::new(), CancellationToken::new());
        let (sales, breaches) = (Mutex::default(), Mutex::default());
        Board { urls, stream, journal, clock, over, earnest, sales, breaches, rests }
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// REST at a node; connections are shared by all who ask there.
    pub fn rest(&self, node: usize, token: &str) -> Rest {
        self.rests[node].with_token(token)
    }

    pub fn token(&self, user: &str, role: &str) -> String {
        sign(KEY, user, role, 100_000)
    }

    pub fn put_up(&self, sale: Sale) {
        self.sales.lock().unwrap().push(sale);
    }

    pub fn take_down(&self, offer: &Id) {
        self.sales.lock().unwrap().retain(|sale| sale.offer != *offer);
    }

    /// Any sale, the newest twice as often: there the rush is.
    pub fn pick(&self, rng: &mut StdRng) -> Option<Sale> {
        let sales = self.sales.lock().unwrap();
        let newest = sales.iter().rev().take(1);
        let weighed: Vec<&Sale> = sales.iter().chain(newest).collect();
        weighed.choose(rng).map(|sale| (*sale).clone())
    }

    /// One sale and no other: the host opens no more, and buyers nearly always pay.
    pub fn be_earnest(&self, last: Sale) {
        self.earnest.cancel();
        *self.sales.lock().unwrap() = vec![last];
    }

    pub fn is_calm(&self) -> bool {
        self.earnest.is_cancelled() || self.over.is_cancelled()
    }

    pub async fn calm(&self) {
        self.earnest.cancelled().await;
    }

    /// Something that was seen to be wrong while it happened.
    pub fn breach(&self, breach: Breach) {
        self.breaches.lock().unwrap().push(breach);
    }

    pub fn breaches(&self) -> Vec<Breach> {
        self.breaches.lock().unwrap().clone()
    }
}
