//! Buyers, hosts, background jobs, webhooks and a reconciler run concurrently, on nodes that die meanwhile: in the end,
//! money was captured for the paid orders and for no others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use livesouk::app::{App, Error, WebhookSecret};
use livesouk::broker::Broker;
use livesouk::clock::Clock;
use livesouk::domain::manual_payment::ManualPaymentsForm;
use livesouk::domain::shop_settings::ShopForm;
use livesouk::domain::{Actor, ManualMethod, OfferId, OrderId, RefundScope, Role, TestScenario};
use livesouk::store::Store;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;

use super::builders::{actor, key};
use super::fixture::{Fixture, SELL_CONNECTIONS, WEBHOOK_SECRET, facts, payment_settings};
use super::random_stock::Seed;
use crate::support::until_some;

facts! {
    money_and_orders_agree_when_nodes_die
}

const CRASHES: usize = 5;
const ACTORS: u64 = 6;
/// Short, so that `slow` and busy moments also end in unknown outcomes.
const PROVIDER_MS: u64 = 250;
const SETTLE_DEADLINE: Duration = Duration::from_secs(90);
/// What some action has to end as. The last node lives until all of them were seen: a busy machine takes longer.
const NEEDED: [&str; 6] = ["paid", "placed", "refunded", "declined", "outcome_unknown", "cancelled"];

/// A node in a runtime of its own, so that it can die with all its tasks.
struct Node {
    runtime: Runtime,
    app: App,
}

impl Node {
    async fn start(fixture: &Fixture) -> Node {
        let (url, inside, shop) = (fixture.url.clone(), fixture.store.clone(), fixture.shop.clone());
        // One server owns a SQLite file; on PostgreSQL the node has connections of its own.
        let opens = fixture.is_postgres();
        let starting = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let app = runtime.block_on(async {
                let clock = Clock::system();
                let store =
                    if opens { Store::open(&url, clock.clone(), SELL_CONNECTIONS).await.unwrap() } else { inside };
                App::start(store, Broker::local(), clock, shop, payment_settings(PROVIDER_MS), Default::default())
                    .await
                    .unwrap()
            });
            Node { runtime, app }
        });
        starting.await.unwrap()
    }

    /// Drops every task in the middle of its work.
    async fn die(self) {
        let Node { runtime, app } = self;
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5))).await.unwrap();
        drop(app);
    }
}

type Orders = Arc<Mutex<Vec<OrderId>>>;

async fn money_and_orders_agree_when_nodes_die(shop: Fixture) {
    let seed = Seed::take();
    let mut rng = SmallRng::seed_from_u64(seed.0);
    let (orders, outcomes) = (Orders::default(), Arc::<Mutex<BTreeSet<String>>>::default());
    for crash in 0..CRASHES {
        let node = Node::start(&shop).await;
        // Each node has an offer of its own: a buyer may have 1,000 units of one.
        let offer = shop.offer(2_000, 1_000).await;
        allow_cash(&node.app).await;
        for actor_number in 0..ACTORS {
            let (app, orders, outcomes) = (node.app.clone(), orders.clone(), outcomes.clone());
            let seed = seed.0.wrapping_add(1_000 * crash as u64 + actor_number);
            node.runtime.spawn(Box::pin(random_actions(app, offer, orders, outcomes, SmallRng::seed_from_u64(seed))));
        }
        // External events: holds expire, and providers repeat webhooks.
        for _ in 0..rng.random_range(4..12) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(20..150))).await;
            let some = orders.lock().unwrap().choose(&mut rng).copied();
            let Some(order) = some else { continue };
            if rng.random_bool(0.4) {
                let id = shop.id(order.0);
                shop.run(&format!("update reservations set hold_until = 1000 where id = {id}")).await;
            } else if let Some(booked) = shop.store.test_intent_of(order, rng.random_range(1..4)).await.unwrap() {
                let app = node.app.clone();
                let id = rng.random_range(0..1_000_u32);
                node.runtime.spawn(async move { send_webhook(&app, &booked.intent.reference, id).await });
            }
        }
        if crash == CRASHES - 1 {
            let deadline = Instant::now() + SETTLE_DEADLINE;
            loop {
                let seen = outcomes.lock().unwrap().clone();
                if NEEDED.iter().all(|word| seen.contains(*word)) {
                    break;
                }
                assert!(Instant::now() < deadline, "no action had one of the outcomes {NEEDED:?}: {seen:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        node.die().await;
    }
    let made = orders.lock().unwrap().len();
    let between =
        shop.number("select count(*) from payments where status in ('creating', 'authorized', 'voiding')").await;
    settle_everything(&shop).await;
    let outcomes = outcomes.lock().unwrap().clone();
    eprintln!("{made} orders, {between} unfinished attempts; outcomes {outcomes:?}");
    shop.assert_settled().await;
    let late = "select count(*) from reservations o join test_intents i on i.order_id = o.id
        where o.status in ('expired', 'cancelled') and i.captured > 0";
    assert_eq!(shop.number(late).await, 0, "captured for an ended order");
}

/// Cash on delivery is allowed, for many orders at once.
async fn allow_cash(app: &App) {
    let admin = Actor { role: Role::Admin, ..actor("root") };
    let cash = ManualPaymentsForm {
        cash_on_delivery: Some(true),
        open_orders_max: Some(100),
        ..ManualPaymentsForm::default()
    };
    let form = ShopForm { manual_payments: Some(cash), ..ShopForm::default() };
    app.settings_sync.change(&admin, form).await.unwrap();
}

/// Expires all holds and reconciles until no work is left.
async fn settle_everything(shop: &Fixture) {
    let node = Node::start(shop).await;
    let open = "select (select count(*) from reservations where status in ('held', 'capturing'))
        + (select count(*) from payments where status in ('creating', 'needs_action', 'authorized', 'voiding'))
        + (select count(*) from refunds where status = 'pending')
        + (select count(*) from test_intents where status = 'authorized')";
    until_some("settled shop", SETTLE_DEADLINE, async || {
        shop.run("update reservations set hold_until = 1000 where status = 'held'").await;
        let app = node.app.clone();
        node.runtime.spawn(async move { app.checkout.reconcile(0).await }).await.unwrap().unwrap();
        (shop.number(open).await == 0).then_some(())
    })
    .await;
    node.die().await;
}

async fn send_webhook(app: &App, reference: &str, id: u32) {
    let body = format!(r#"{{"id":"evt_{id}","type":"intent.captured","data":{{"object":{{"id":"{reference}"}}}}}}"#);
    let signature = WebhookSecret::new(WEBHOOK_SECRET).sign(Clock::system().now(), body.as_bytes());
    let _ = app.checkout.receive_webhook(&[&signature], body.as_bytes()).await;
}

async fn random_actions(
    app: App,
    offer: OfferId,
    orders: Orders,
    outcomes: Arc<Mutex<BTreeSet<String>>>,
    mut rng: SmallRng,
) {
    let ann = actor("ann");
    let host = Actor { role: Role::Host, ..actor("noura") };
    loop {
        // Mostly the newest orders, so that several actions meet at one order.
        let some = {
            let orders = orders.lock().unwrap();
            let near = orders.len().saturating_sub(rng.random_range(1..12));
            orders[near..].first().copied()
        };
        let with = key(&format!("try-{:05}", rng.random_range(0..3)));
        let result = match (rng.random_range(0..23), some) {
            (0..=4, _) | (_, None) => {
                let bought = app.checkout.buy(&ann, offer, 1, key(&format!("buy-{:016x}", rng.random::<u64>()))).await;
                if let Ok(bought) = &bought {
                    orders.lock().unwrap().push(bought.order.id);
                }
                bought.map(|bought| bought.order)
            }
            (5..=13, Some(order)) => {
                let script = TestScenario::ALL.choose(&mut rng).copied().unwrap_or(TestScenario::Ok);
                let script = if rng.random_bool(0.3) { TestScenario::Ok } else { script };
                app.checkout
                    .pay(&ann, order, script.name(), None, key(&format!("pay-{order}-{}", script.name())))
                    .await
                    .map(|paid| paid.order)
            }
            (14..=15, Some(order)) => {
                let with = key(&format!("{order}-{}", with.as_str()));
                app.checkout.cancel(&ann, order, with).await.map(|gone| gone.order)
            }
            (16..=18, Some(order)) => {
                let restock = rng.random_bool(0.5);
                let with = key(&format!("{order}-{restock}"));
                app.checkout
                    .refund(&host, order, RefundScope::Whole, restock, None, with)
                    .await
                    .map(|refunded| refunded.order)
            }
            (19, Some(order)) => {
                let with = key(&format!("place-{order}-{}", with.as_str()));
                let placing = app.checkout.place(&ann, order, ManualMethod::CashOnDelivery, None, with).await;
                placing.map(|placed| placed.order)
            }
            (20, Some(order)) => app.checkout.receive_payment(&host, order, 4_900, None).await,
            (21, Some(order)) => app.checkout.cancel_placed(&host, order, rng.random_bool(0.5)).await,
            (_, Some(_)) => {
                let _ = app.checkout.reconcile(rng.random_range(0..200)).await;
                continue;
            }
        };
        let word = match result {
            Ok(order) => order.status.name().to_owned(),
            Err(Error::Refused(refusal)) => refusal.code().to_owned(),
            Err(Error::OutcomeUnknown) => "outcome_unknown".to_owned(),
            Err(Error::Unavailable) => "unavailable".to_owned(),
        };
        outcomes.lock().unwrap().insert(word);
    }
}
