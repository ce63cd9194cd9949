//! The context of a run that every task shares: where the nodes are, what is on sale, the clock, and when the run ends.

use std::sync::Mutex;

use livesouk::clock::Clock;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio_util::sync::CancellationToken;

use crate::journal::{Millis, RequestJournal, TextId};
use crate::oracle::PromiseViolation;
use crate::support::rest::Rest;
use crate::support::shop::{KEY, sign};

/// An offer that buyers try to buy.
#[derive(Debug, Clone)]
pub struct OpenSale {
    pub offer: TextId,
    pub per_buyer: i64,
}

pub struct RunContext {
    /// The addresses of the nodes. They stay the same when a node is restarted.
    pub urls: Vec<String>,
    pub stream: String,
    pub journal: RequestJournal,
    pub clock: Clock,
    /// Clients begin nothing new: no request, no message. What was begun is finished.
    pub over: CancellationToken,
    /// Everything is finished, so observers and viewers may stop. One that stops earlier misses what happened in the last
    /// moment, and would blame the server for it.
    pub unwatched: CancellationToken,
    /// All faults are over, and buyers nearly always pay.
    faults_ended: CancellationToken,
    sales: Mutex<Vec<OpenSale>>,
    violations: Mutex<Vec<PromiseViolation>>,
    rest_clients: Vec<Rest>,
}

impl RunContext {
    pub fn new(urls: Vec<String>, stream: String, clock: Clock) -> RunContext {
        let rest_clients = urls.iter().map(|url| Rest::new(url)).collect();
        let journal = RequestJournal::default();
        let [over, unwatched, faults_ended] = std::array::from_fn(|_| CancellationToken::new());
        let (sales, violations) = (Mutex::default(), Mutex::default());
        RunContext { urls, stream, journal, clock, over, unwatched, faults_ended, sales, violations, rest_clients }
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// A REST client for a node. All users of a node share its connections.
    pub fn rest(&self, node: usize, token: &str) -> Rest {
        self.rest_clients[node].with_token(token)
    }

    pub fn token(&self, user: &str, role: &str) -> String {
        sign(KEY, user, role, 100_000)
    }

    pub fn add_sale(&self, sale: OpenSale) {
        self.sales.lock().unwrap().push(sale);
    }

    pub fn remove_sale(&self, offer: &TextId) {
        self.sales.lock().unwrap().retain(|sale| sale.offer != *offer);
    }

    /// A random sale. The newest is twice as likely, because most buyers are there.
    pub fn pick_sale(&self, rng: &mut StdRng) -> Option<OpenSale> {
        let sales = self.sales.lock().unwrap();
        let newest = sales.iter().rev().take(1);
        let weighed: Vec<&OpenSale> = sales.iter().chain(newest).collect();
        weighed.choose(rng).map(|sale| (*sale).clone())
    }

    /// Leaves only this sale: the host opens no more, and buyers nearly always pay.
    pub fn begin_final_sale(&self, last: OpenSale) {
        self.faults_ended.cancel();
        *self.sales.lock().unwrap() = vec![last];
    }

    pub fn is_calm(&self) -> bool {
        self.faults_ended.is_cancelled() || self.over.is_cancelled()
    }

    pub async fn wait_until_calm(&self) {
        self.faults_ended.cancelled().await;
    }

    /// A violation that was seen while the run goes on.
    pub fn record_violation(&self, violation: PromiseViolation) {
        self.violations.lock().unwrap().push(violation);
    }

    pub fn violations(&self) -> Vec<PromiseViolation> {
        self.violations.lock().unwrap().clone()
    }
}
