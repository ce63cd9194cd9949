//! A payment provider for tests: a server that speaks a part of the Stripe API as it is documented, on a loopback address, and fails on request.
//!
//! It knows two accounts with test and live mode, payment intents with manual capture, confirmation tokens, 3-D Secure, customers with saved cards, refunds, disputes,
//! idempotency keys, signed events, rate limits and the rules of amounts. It is written from the documentation, shares no code with the server that is
//! tested, and is itself judged by the official command line and libraries (`scripts/check-payments`). Its clock can be moved.

mod caller;
mod card;
mod clock;
mod customer;
mod error;
mod faults;
mod form;
mod idempotency;
mod intent;
mod ledger;
mod money;
mod pages;
mod parameters;
mod refund;
mod route;
mod server;
mod webhooks;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use clock::Clock;
use faults::{Faults, RateLimit};
use idempotency::Keys;
use ledger::Ledger;

pub use card::{Behaviour, CARDS, Card};
pub use faults::{Call, Fault};
pub use webhooks::{Delivery, Endpoint};

/// The version that requests must name.
pub const API_VERSION: &str = "2026-09-30.endive";

/// How the account is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Random faults and ids follow from it.
    pub seed: u64,
    /// Requests a second to one endpoint.
    pub rate_per_endpoint: u32,
    /// Requests without the header `Stripe-Version` are refused. The official command line does not send it.
    pub requires_version: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), seed: 1, rate_per_endpoint: 25, requires_version: true }
    }
}

/// A request as it arrived, for tests that look at what a client sends.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub body: String,
    pub idempotency_key: Option<String>,
    pub version: Option<String>,
}

/// Requests that are kept for tests.
const RECEIVED_MAX: usize = 100_000;

struct World {
    ledger: Ledger,
    keys: Keys,
    faults: Faults,
    limit: RateLimit,
    endpoints: Vec<Endpoint>,
    delivery: Delivery,
    received: Vec<Received>,
    /// Keys that are refused.
    revoked: HashSet<String>,
    /// The intents of the other account.
    intents_of_other: HashSet<String>,
    /// Objects that a slow call holds.
    locked: Vec<String>,
    events_seen: u64,
}

struct Shared {
    world: Mutex<World>,
    clock: Clock,
    options: Options,
    base: String,
    client: reqwest::Client,
    has_events: Notify,
    /// Held while events are sent, so that they leave in one order.
    sending: tokio::sync::Mutex<()>,
}

impl Shared {
    /// The world as time has made it. The guard must not live across a wait.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.ledger.advance(self.now_s());
        if !world.ledger.new_events.is_empty() {
            self.has_events.notify_one();
        }
        world
    }

    fn now_s(&self) -> i64 {
        self.clock.now_ms() / 1_000
    }
}

/// A running server. It ends when this value is dropped.
pub struct FakeStripe {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

impl FakeStripe {
    /// Listens and serves. Fails when the address cannot be bound.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let world = World {
            ledger: Ledger { seed: options.seed, base: base.clone(), ..Ledger::default() },
            keys: Keys::default(),
            faults: Faults::new(options.seed),
            limit: RateLimit::new(options.rate_per_endpoint),
            endpoints: Vec::new(),
            delivery: Delivery::default(),
            received: Vec::new(),
            revoked: HashSet::new(),
            intents_of_other: HashSet::new(),
            locked: Vec::new(),
            events_seen: 0,
        };
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            clock: Clock::default(),
            options,
            base,
            client: reqwest::Client::new(),
            has_events: Notify::new(),
            sending: tokio::sync::Mutex::new(()),
        });
        let serving = tokio::spawn(server::serve(listener, shared.clone()));
        let sending = tokio::spawn(server::send_events(shared.clone()));
        Ok(Self { shared, tasks: vec![serving.abort_handle(), sending.abort_handle()] })
    }

    /// The address of the API, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.shared.base
    }

    /// Sends events to this receiver from now on.
    pub fn add_endpoint(&self, endpoint: Endpoint) {
        self.shared.world().endpoints.push(endpoint);
    }

    /// Replaces all receivers by none.
    pub fn remove_endpoints(&self) {
        self.shared.world().endpoints.clear();
    }

    pub fn set_delivery(&self, delivery: Delivery) {
        self.shared.world().delivery = delivery;
    }

    /// The next calls of this kind meet a fault.
    pub fn plan_fault(&self, call: Call, fault: Fault, times: usize) {
        self.shared.world().faults.plan(call, fault, times);
    }

    /// A share of all calls meets a fault that is chosen at random.
    pub fn set_random_faults(&self, share: f64) {
        self.shared.world().faults.set_random(share);
    }

    /// Somebody revokes a key in the dashboard, or it expires.
    pub fn revoke(&self, key: &str) {
        self.shared.world().revoked.insert(key.to_owned());
    }

    /// While it is down, every connection is closed without an answer.
    pub fn set_down(&self, is_down: bool) {
        self.shared.world().faults.is_down = is_down;
    }

    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// Moves the clock forward; what happens in between by itself, happens.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance_ms(by.as_millis() as i64);
        drop(self.shared.world());
    }

    /// A confirmation token, as a page makes it for this card. `None`: there is no such card.
    pub fn confirmation_token(&self, card: &str) -> Option<String> {
        self.confirmation_token_of(card, 0)
    }

    /// The same with the card of another owner.
    pub fn confirmation_token_of(&self, card: &str, owner: u32) -> Option<String> {
        let card = Card { owner, ..card::find(card)? };
        let mut world = self.shared.world();
        let token = world.ledger.new_id("ctoken");
        world.ledger.tokens.insert(token.clone(), card);
        Some(token)
    }

    /// The buyer answers the question of 3-D Secure. `false`: the intent did not ask.
    pub fn authenticate(&self, intent: &str, agrees: bool) -> bool {
        let now = self.shared.now_s();
        let mut world = self.shared.world();
        let answered = world.ledger.authenticate(intent, agrees, now).is_ok();
        self.shared.has_events.notify_one();
        answered
    }

    /// All intents, the oldest first, as the API shows them.
    pub fn intents(&self) -> Vec<Value> {
        let world = self.shared.world();
        world.ledger.intents.values().map(|intent| intent.view(&self.shared.base)).collect()
    }

    /// All customers that were not deleted, the oldest first.
    pub fn customers(&self) -> Vec<Value> {
        let world = self.shared.world();
        let there = world.ledger.customers.values().filter(|customer| !customer.is_deleted);
        there.map(customer::Customer::view).collect()
    }

    /// The cards that are saved for customers, the oldest first.
    pub fn saved_methods(&self) -> Vec<Value> {
        let world = self.shared.world();
        let saved = world.ledger.methods.values().filter(|method| method.customer.is_some());
        saved.map(customer::Method::view).collect()
    }

    /// Somebody takes a saved card away from its customer in the dashboard. `false`: it is with none.
    pub fn detach(&self, method: &str) -> bool {
        let now = self.shared.now_s();
        let mut world = self.shared.world();
        let is_live = world.ledger.methods.get(method).is_some_and(|method| method.is_live);
        world.ledger.detach_method(method, is_live, now).is_ok()
    }

    /// Somebody deletes all customers in the dashboard.
    pub fn delete_all_customers(&self) {
        let now = self.shared.now_s();
        let mut world = self.shared.world();
        let there: Vec<(String, bool)> =
            world.ledger.customers.values().map(|customer| (customer.id.clone(), customer.is_live)).collect();
        for (id, is_live) in there {
            // One that is deleted already stays so.
            let _ = world.ledger.delete_customer(&id, is_live, now);
        }
    }

    /// All refunds, the oldest first.
    pub fn refunds(&self) -> Vec<Value> {
        self.shared.world().ledger.refunds.values().map(intent::Refund::view).collect()
    }

    /// The ids of all disputes.
    pub fn disputes(&self) -> Vec<String> {
        self.shared.world().ledger.disputes.keys().cloned().collect()
    }

    /// Ends a dispute. `false`: there is no such dispute.
    pub fn close_dispute(&self, id: &str, is_won: bool) -> bool {
        let now = self.shared.now_s();
        let closed = self.shared.world().ledger.close_dispute(id, is_won, now).is_ok();
        self.shared.has_events.notify_one();
        closed
    }

    /// The kinds of all events so far, sent or not.
    pub fn event_kinds(&self) -> Vec<&'static str> {
        self.shared.world().ledger.events.iter().map(|event| event.kind).collect()
    }

    /// Every request to the API so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.world().received.clone()
    }
}

impl Drop for FakeStripe {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}
