//! The scene `money`: three nodes take money from one payment provider while they, the database, the provider and the links between them
//! fail. Rushes of winners press Pay within the time of their hold. Then the faults stop, the queue drains, and the books of the
//! provider are compared with those of the shop.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fake_stripe::{Endpoint, FakeStripe, Options};
use livesouk::clock::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::SceneResult;
use crate::database_observer::query_number;
use crate::fault::{self, NODES};
use crate::host::{ChaosHost, fork_rng};
use crate::injector::FaultInjector;
use crate::node::{ChaosNode, NodeSettings};
use crate::oracle::charge::{BookedOrder, Charge, PressedPay, check_charges, check_units_kept};
use crate::oracle::{PromiseViolation, RECOVERY_MS};
use crate::postgres::{self, Postgres};
use crate::provider_faults::Provider;
use crate::run_context::RunContext;
use crate::selling::{keep_logs, restart_exited_nodes, trim_evidence, unexpected_exits};
use crate::settings::ChaosSettings;
use crate::support::proxy::Proxy;
use crate::support::shop::{KEY, migrate, sign};
use crate::winner::Winner;

const WEBHOOK_SECRET: &str = "whsec_bW9uZXk";
const HOLD_S: i64 = 50;
/// A rush begins so often.
const RUSH_S: u64 = 45;
/// When the faults are over, everything that is under way ends within this time.
const DRAIN: Duration = Duration::from_secs(300);
/// A shorter run does not wait for what nodes look at after a minute only: see [`age_payments`].
const PATIENT_RUN: Duration = Duration::from_secs(120);

const UNDER_WAY: &str = "select (select count(*) from reservations where status in ('held', 'capturing'))
    + (select count(*) from payments where status in ('creating', 'needs_action', 'authorized', 'voiding'))
    + (select count(*) from owed_refunds where status = 'owed') + (select count(*) from refunds where status = 'pending')";

pub async fn run_scene(settings: &ChaosSettings) -> SceneResult {
    let winners = winners_in(settings.duration);
    println!("scene money, {} s, {winners} winners, seed {}", settings.duration.as_secs(), settings.seed);
    let mut rng = StdRng::seed_from_u64(settings.seed ^ 0x3055);
    let Stage { injector, provider, mut host, _keys } = Stage::build(settings, &mut rng).await;
    let context = host.context();
    let starvation = injector.detect_starvation();
    let bank = {
        let (provider, rng) = (provider.clone(), fork_rng(&mut rng));
        tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move { provider.run_bank(rng).await }))
    };

    let began = Instant::now();
    let until = began + settings.duration;
    let (provider_rng, rush_rng) = (fork_rng(&mut rng), fork_rng(&mut rng));
    let (provider_faults, people, ()) = tokio::join!(
        provider.run_faults(&injector, until, provider_rng),
        run_rushes(&mut host, &provider.fake, winners, settings.duration, rush_rng),
        run_faults(&injector, settings, &mut rng, until),
    );
    provider.heal();
    restart_exited_nodes(&injector).await;
    let mut violations = Vec::new();
    violations.extend(drain(&injector, settings.duration, people.tasks.len()).await);
    context.over.cancel();
    let (presses, logs) = people.join().await;
    drop((bank, starvation));

    let (charges, orders) = (charges(&provider.fake), booked_orders(&injector).await);
    violations.extend(check_charges(&charges, &orders));
    violations.extend(check_units_kept(&presses, &orders, RECOVERY_MS));
    violations.extend(check_progress(&charges, &orders, winners));
    violations.extend(unexpected_exits(&injector).await);
    for violation in &mut violations {
        violation.evidence.extend(evidence(&violation.what, &logs));
    }
    violations.extend(context.violations());
    print_summary(&charges, &orders, &presses, &injector);
    if !violations.is_empty() {
        keep_logs(&injector, settings).await;
    }
    let faults = injector.windows().iter().filter(|window| window.fault != crate::oracle::STARVED).count();
    println!("{provider_faults} faults of the provider");
    SceneResult { faults, violations: trim_evidence(violations) }
}

/// 500 in three minutes, 2,000 in ten.
fn winners_in(duration: Duration) -> u32 {
    let seconds = duration.as_secs();
    (if seconds <= 180 { seconds * 500 / 180 } else { seconds * 2_000 / 600 }) as u32
}

/// Everything that can fail, and the host.
struct Stage {
    injector: Arc<FaultInjector>,
    provider: Arc<Provider>,
    host: ChaosHost,
    _keys: TempDir,
}

impl Stage {
    async fn build(settings: &ChaosSettings, rng: &mut StdRng) -> Stage {
        let database = Postgres::start().await.unwrap_or_else(|why| {
            eprintln!("chaos: {why}");
            std::process::exit(2);
        });
        migrate(&Postgres::url_at(database.address())).await;
        let options = Options { seed: settings.seed, ..Options::default() };
        let fake = Arc::new(FakeStripe::start(options).await.expect("a free port"));
        let keys = tempfile::tempdir().expect("a temporary folder");
        let key = keys.path().join("stripe.key");
        std::fs::write(&key, "rk_test_chaos\n").expect("a file");
        let api = fake.base().strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
        let (mut nodes, mut links) = (Vec::new(), Vec::new());
        for number in 0..NODES {
            let link = Proxy::start(api).await;
            let args = ["--payments", "stripe", "--stripe-webhook-secret", WEBHOOK_SECRET, "--stripe-key-file"];
            let mut args: Vec<String> = args.map(str::to_owned).to_vec();
            args.extend([key.display().to_string(), "--stripe-api-base".to_owned(), link.url()]);
            let injected_fault = settings.injected_fault.clone();
            let settings = NodeSettings { args, has_base_url: true, injected_fault };
            nodes.push(ChaosNode::start(number, database.address(), settings).await);
            links.push(link);
        }
        let urls: Vec<String> = nodes.iter().map(ChaosNode::url).collect();
        for url in &urls {
            let url = format!("{url}/v1/webhooks/stripe");
            fake.add_endpoint(Endpoint { url, secrets: vec![WEBHOOK_SECRET.to_owned()], has_old_shape: false });
        }
        let rest = crate::support::rest::Rest::new(&urls[0]).with_token(&sign(KEY, "the-host", "host", 100_000));
        let context = |stream| RunContext::new(urls, stream, Clock::system());
        let host = ChaosHost::open_show(context, &rest, fork_rng(rng)).await;
        let address = database.address();
        let injector = Arc::new(FaultInjector::new(host.context(), database, address, nodes));
        Stage { injector, provider: Arc::new(Provider { fake, links }), host, _keys: keys }
    }
}

async fn run_faults(injector: &FaultInjector, settings: &ChaosSettings, rng: &mut StdRng, until: Instant) {
    let [of_nodes, of_database] = fault::plan(settings.seed, settings.duration);
    let (began, one, other) = (until - settings.duration, fork_rng(rng), fork_rng(rng));
    tokio::join!(injector.walk(&of_nodes, began, one), injector.walk(&of_database, began, other));
    tokio::time::sleep_until(until).await;
}

type Outcome = (Option<PressedPay>, Vec<String>);

/// The winners who still buy and pay.
#[derive(Default)]
struct Winners {
    tasks: JoinSet<Outcome>,
}

impl Winners {
    async fn join(mut self) -> (Vec<PressedPay>, HashMap<String, Vec<String>>) {
        let (mut presses, mut logs) = (Vec::new(), HashMap::new());
        let all = timeout(Duration::from_secs(60), async {
            while let Some(ended) = self.tasks.join_next().await {
                let (pressed, log) = ended.expect("a winner does not panic");
                if let Some(pressed) = pressed {
                    logs.insert(pressed.order.clone(), log);
                    presses.push(pressed);
                }
            }
        });
        all.await.expect("the winners end with the run");
        (presses, logs)
    }
}

/// Opens a sale for each rush.
async fn run_rushes(
    host: &mut ChaosHost,
    fake: &Arc<FakeStripe>,
    winners: u32,
    duration: Duration,
    mut rng: StdRng,
) -> Winners {
    let mut people = Winners::default();
    let rushes = u32::try_from((duration.as_secs() / RUSH_S).max(1)).unwrap_or(1);
    for rush in 0..rushes {
        let began = Instant::now();
        let numbers = (winners * rush / rushes)..(winners * (rush + 1) / rushes);
        let units = i64::from(numbers.end - numbers.start);
        let Some(offer) = host.open_sale(units, 1, HOLD_S).await else { break };
        for number in numbers {
            let (context, provider, rng) = (host.context(), fake.clone(), fork_rng(&mut rng));
            let winner = Winner { context, provider, number, rng, log: Vec::new() };
            people.tasks.spawn(winner.live(offer.to_string()));
        }
        if rush + 1 < rushes {
            tokio::time::sleep_until(began + Duration::from_secs(RUSH_S)).await;
        }
    }
    people
}

/// Waits until nothing is under way any more.
async fn drain(injector: &FaultInjector, run: Duration, winners: usize) -> Option<PromiseViolation> {
    let mut database = postgres::connect(injector.database).await.expect("the database answers");
    let began = Instant::now();
    let mut aged = run >= PATIENT_RUN;
    loop {
        let Ok(open) = query_number(&mut database, UNDER_WAY).await else {
            database = postgres::connect(injector.database).await.expect("the database answers");
            continue;
        };
        if open == 0 {
            println!(
                "everything of {winners} winners was settled {} s after the last fault",
                began.elapsed().as_secs()
            );
            return None;
        }
        if began.elapsed() > DRAIN {
            let what = format!("{open} payments, holds and refunds are still under way after {DRAIN:?}");
            return Some(PromiseViolation::new("the queue drains", what));
        }
        if !aged && began.elapsed() > Duration::from_secs(u64::try_from(HOLD_S).unwrap_or(0) + 10) {
            age_payments(&mut database).await;
            aged = true;
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Nodes look again at what they do not know after a minute and more. In a short run that time passes at once.
async fn age_payments(database: &mut sqlx::PgConnection) {
    const AGE: &str =
        "update payments set created_at = created_at - 140000, changed_at = changed_at - 61000, tried_at = 0
            where status not in ('captured', 'declined', 'cancelled', 'failed');
        update orders set changed_at = changed_at - 61000 where status = 'capturing';
        update refunds set changed_at = changed_at - 61000, tried_at = 0 where status = 'pending';
        update owed_refunds set tried_at = 0 where status = 'owed'";
    sqlx::raw_sql(AGE).execute(database).await.expect("what is open is aged");
}

fn charges(fake: &FakeStripe) -> Vec<Charge> {
    let refunds = fake.refunds();
    let returned = |intent: &str| -> i64 {
        let of_intent =
            refunds.iter().filter(|refund| refund["payment_intent"] == intent && refund["status"] == "succeeded");
        of_intent.filter_map(|refund| refund["amount"].as_i64()).sum()
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let charge = |intent: serde_json::Value| Charge {
        refunded: returned(intent["id"].as_str().unwrap_or_default()),
        intent: text(&intent["id"]),
        order: text(&intent["metadata"]["order"]),
        status: text(&intent["status"]),
        captured: intent["amount_received"].as_i64().unwrap_or_default(),
    };
    fake.intents().into_iter().map(charge).collect()
}

async fn booked_orders(injector: &FaultInjector) -> Vec<BookedOrder> {
    let mut database = postgres::connect(injector.database).await.expect("the database answers");
    let read = "select id::text, status, coalesce(total, 0) from orders";
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as(read).fetch_all(&mut database).await.expect("the orders are read");
    rows.into_iter().map(|(id, status, total)| BookedOrder { id, status, total }).collect()
}

/// A run in which hardly anybody paid proves nothing.
fn check_progress(charges: &[Charge], orders: &[BookedOrder], winners: u32) -> Option<PromiseViolation> {
    let paid = orders.iter().filter(|order| order.status == "paid").count();
    let is_enough = paid * 2 > winners as usize && !charges.is_empty();
    (!is_enough).then(|| PromiseViolation::new("selling continues", format!("{paid} of {winners} winners paid")))
}

/// What the winner of an order did and heard, if the violation names it.
fn evidence(what: &str, logs: &HashMap<String, Vec<String>>) -> Vec<String> {
    logs.iter().find(|(order, _)| what.contains(order.as_str())).map(|(_, log)| log.clone()).unwrap_or_default()
}

fn print_summary(charges: &[Charge], orders: &[BookedOrder], presses: &[PressedPay], injector: &FaultInjector) {
    let mut counters = std::collections::BTreeMap::new();
    for name in orders.iter().map(|order| &order.status) {
        *counters.entry(format!("order {name}")).or_insert(0) += 1;
    }
    for name in charges.iter().map(|charge| &charge.status) {
        *counters.entry(format!("intent {name}")).or_insert(0) += 1;
    }
    let returned = charges.iter().filter(|charge| charge.refunded > 0).count();
    println!("{} winners pressed Pay; {counters:?}; {returned} charges were given back", presses.len());
    for window in injector.windows() {
        let node = window.node.map(|node| format!(" of node {node}")).unwrap_or_default();
        println!("fault: {}{node}, {} ms {}", window.fault, window.to - window.from, window.note);
    }
}
