//! The scene `selling`: three nodes on one PostgreSQL, more than a hundred buyers, flash sales, and every kind of fault.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use livesouk::clock::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::buyer::ChaosBuyer;
use crate::checkout_client::{CheckoutClient, CheckoutRequest, RequestRoute};
use crate::cut_commit::cut_commits;
use crate::database_observer::{self, StockHistory};
use crate::fault::{self, NODES};
use crate::hold_crowd::add_crowds;
use crate::host::{self, ChaosHost};
use crate::injector::FaultInjector;
use crate::journal::{Millis, RequestOutcome, TextId};
use crate::node::{self, ChaosNode};
use crate::oracle::{self, Evidence, PromiseViolation, RECOVERY_MS, STARVED};
use crate::postgres::Postgres;
use crate::run_context::{OpenSale, RunContext};
use crate::settings::ChaosSettings;
use crate::support::shop::migrate;
use crate::watcher::{ObservedCounts, WatcherScreen, watch};
use crate::{SceneResult, postgres};

const BUYERS: usize = 110;
const WATCHERS_PER_NODE: usize = 2;
/// A run of at least this length has a crowd of holds that end together.
const CROWDED_RUN: Duration = Duration::from_secs(60);
/// After this many violations of one kind, the rest have no evidence.
const EVIDENCE_MAX: usize = 5;

pub async fn run_scene(settings: &ChaosSettings) -> SceneResult {
    println!("scene selling, {} s, seed {}", settings.duration.as_secs(), settings.seed);
    let mut rng = StdRng::seed_from_u64(settings.seed ^ 0x5e11);
    let postgres = match Postgres::start().await {
        Ok(postgres) => postgres,
        Err(why) => {
            eprintln!("chaos: {why}");
            std::process::exit(2);
        }
    };
    migrate(&Postgres::url_at(postgres.address())).await;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(ChaosNode::start(number, postgres.address(), node::NodeSettings::default()).await);
    }
    let urls: Vec<String> = nodes.iter().map(ChaosNode::url).collect();
    let host_token = crate::support::shop::sign(crate::support::shop::KEY, "the-host", "host", 100_000);
    let rest = crate::support::rest::Rest::new(&urls[0]).with_token(&host_token);
    let mut host =
        ChaosHost::open_show(|stream| RunContext::new(urls, stream, Clock::system()), &rest, host::fork_rng(&mut rng))
            .await;
    let context = host.context();
    let database = postgres.address();
    let injector = Arc::new(FaultInjector::new(context.clone(), postgres, database, nodes));

    let (counts, levels) = (Arc::new(ObservedCounts::default()), Arc::new(StockHistory::default()));
    let mut people = JoinSet::new();
    let mut observers = JoinSet::new();
    observers.spawn(database_observer::look(context.clone(), counts.clone(), levels.clone(), injector.database));
    let starvation = injector.detect_starvation();
    let mut screens = Vec::new();
    for node in (0..NODES * WATCHERS_PER_NODE).map(|number| number % NODES) {
        let screen = Arc::new(WatcherScreen::default());
        screens.push((node, screen.clone()));
        observers.spawn(watch(context.clone(), counts.clone(), screen, node));
    }
    for number in 0..BUYERS {
        people.spawn(ChaosBuyer::new(context.clone(), &format!("buyer-{number:03}"), host::fork_rng(&mut rng)).live());
    }
    let rush = host.fork(host::fork_rng(&mut rng));
    people.spawn(rush.live());
    let refunds = host.fork(host::fork_rng(&mut rng));
    people.spawn(refunds.refund_orders());

    let (began_at, began) = (context.now(), Instant::now());
    let (crowd_host, cut_host, cut_rng) =
        (host.fork(host::fork_rng(&mut rng)), host.fork(host::fork_rng(&mut rng)), host::fork_rng(&mut rng));
    let ((), crowds, cut) = tokio::join!(
        run_faults(&injector, settings, &mut rng),
        add_crowds(&injector, crowd_host, began, settings.duration),
        cut_commits(&injector, cut_host, cut_rng, began, settings.duration)
    );
    let healed_at = context.now();
    restart_exited_nodes(&injector).await;
    check_selling_recovered(&injector, &mut host, healed_at).await;
    check_sells_out(&injector, &mut host, 40).await;
    check_screens_current(&injector, &screens).await;

    context.over.cancel();
    join_all(people, "buyers and host").await;
    context.unwatched.cancel();
    join_all(observers, "observers").await;
    let evidence = gather_evidence(&injector, &levels).await;
    drop(starvation);
    let mut violations = context.violations();
    violations.extend(oracle::check_promises(&evidence));
    violations.extend(cut.check(&injector).await);
    violations.extend(check_crowds(crowds, settings));
    violations.extend(check_progress(&context, &evidence, settings, began_at));
    violations.extend(unexpected_exits(&injector).await);
    print_summary(&evidence, &counts, &levels, began_at);
    if !violations.is_empty() {
        keep_logs(&injector, settings).await;
    }
    let faults = evidence.windows.iter().filter(|window| window.fault != STARVED).count();
    SceneResult { faults: faults + crowds, violations: trim_evidence(violations) }
}

/// A run in which no crowd of holds ended proves nothing about it.
fn check_crowds(crowds: usize, settings: &ChaosSettings) -> Option<PromiseViolation> {
    println!("{crowds} crowds of 20,000 holds ended");
    let missing = crowds == 0 && CROWDED_RUN <= settings.duration;
    missing.then(|| PromiseViolation::new("every fault happens", "no crowd of holds was added"))
}

async fn run_faults(injector: &FaultInjector, settings: &ChaosSettings, rng: &mut StdRng) {
    let began = Instant::now();
    let [of_nodes, of_database] = fault::plan(settings.seed, settings.duration);
    let (one, other) = (host::fork_rng(rng), host::fork_rng(rng));
    tokio::join!(injector.walk(&of_nodes, began, one), injector.walk(&of_database, began, other));
    tokio::time::sleep_until(began + settings.duration).await;
}

pub async fn restart_exited_nodes(injector: &FaultInjector) {
    for node in &injector.nodes {
        node.lock().await.restart_if_exited().await;
    }
}

pub async fn unexpected_exits(injector: &FaultInjector) -> Vec<PromiseViolation> {
    let mut found = Vec::new();
    for node in &injector.nodes {
        let node = node.lock().await;
        let ended = node.unexpected_exits.iter();
        found.extend(
            ended.map(|said| PromiseViolation::new("nodes stay up", format!("node {} ended:\n{said}", node.number))),
        );
    }
    found
}

/// After the last fault, every node sells and takes payments again. Each node is measured by itself.
pub async fn check_selling_recovered(injector: &FaultInjector, host: &mut ChaosHost, healed_at: i64) {
    let Some(offer) = host.open_permanent_sale(1_000, 1).await else { return };
    let again = |node| make_node_sell(injector.context.clone(), offer.clone(), node);
    let mut nodes: JoinSet<usize> = (0..NODES).map(again).collect();
    while let Some(node) = nodes.join_next().await {
        let (node, took) = (node.expect("a probe does not panic"), injector.recovery_time(healed_at));
        println!("node {node} sells and takes money {took} after the last fault");
        if took.counted_ms() > RECOVERY_MS {
            let what = format!("node {node}: {took} after the last fault");
            injector.context.record_violation(PromiseViolation::new("the cluster recovers", what));
        }
    }
}

/// Buys and pays at one node, as often as it takes. Returns its number.
async fn make_node_sell(context: Arc<RunContext>, offer: TextId, node: usize) -> usize {
    let name: TextId = format!("prober-{node}").into();
    let token = context.token(&name, "viewer");
    let checkout = CheckoutClient { context: &context, buyer: &name, token: &token };
    let (buy, pay): (TextId, TextId) = (format!("probe-buy-{node}").into(), format!("probe-pay-{node}").into());
    let request = CheckoutRequest::Buy { offer: offer.clone(), qty: 1 };
    let seen = retry_until_done(&checkout, &request, &buy, node).await;
    if let Some(order) = seen {
        let request = CheckoutRequest::Pay { offer: offer.clone(), order, token: "ok" };
        retry_until_done(&checkout, &request, &pay, node).await;
    }
    node
}

async fn retry_until_done(
    checkout: &CheckoutClient<'_>,
    request: &CheckoutRequest,
    key: &TextId,
    node: usize,
) -> Option<TextId> {
    let give_up = Instant::now() + Duration::from_secs(60);
    while Instant::now() < give_up {
        if let RequestOutcome::Done(seen) = checkout.ask(request, key, RequestRoute::rest(node)).await {
            return Some(seen.id);
        }
        sleep(Duration::from_millis(50)).await;
    }
    None
}

/// No fault is active and more buyers want a unit than there are units: all are sold in the end, and no unit stays unsold
/// for longer than two seconds, not counting pauses of the machine. During the first rush the two seconds begin again with
/// each unit sold; after it, each returned unit has its own two seconds.
pub async fn check_sells_out(injector: &FaultInjector, host: &mut ChaosHost, units: i64) {
    const UNSOLD_MAX_MS: Millis = 2_000;
    let context = &injector.context;
    let Some(offer) = host.open_permanent_sale(units, 1).await else { return };
    context.begin_final_sale(OpenSale { offer: offer.clone(), per_buyer: 1 });
    let give_up = Instant::now() + Duration::from_secs(100);
    let mut free_since = context.now();
    let mut least_left = units;
    let Ok(mut database) = postgres::connect(injector.database).await else { return };
    loop {
        let read = "select quantity - reserved, (select count(*) from reservations r where r.offer = o.id and status in ('held', 'capturing'))
            from offers o where id = $1::uuid";
        let Ok((left, open)) = sqlx::query_as::<_, (i64, i64)>(read).bind(&*offer).fetch_one(&mut database).await
        else {
            return;
        };
        let now = context.now();
        let in_first_rush = 0 < least_left;
        if left == 0 || (in_first_rush && left < least_left) {
            free_since = now;
        }
        least_left = least_left.min(left);
        if left == 0 && open == 0 {
            return;
        }
        if now - free_since - oracle::starved_ms(&injector.windows(), free_since, now) > UNSOLD_MAX_MS
            || Instant::now() > give_up
        {
            let what = format!(
                "{left} of {units} units of offer {offer} are unsold, {open} are held, and many buyers want one"
            );
            context.record_violation(PromiseViolation::new("no undersell", what));
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// The screens of viewers show what is stored, at most about a second late. This includes the end of a sale.
pub async fn check_screens_current(injector: &FaultInjector, screens: &[(usize, Arc<WatcherScreen>)]) {
    const LATE: Duration = Duration::from_secs(3);
    let Ok(mut database) = postgres::connect(injector.database).await else { return };
    let give_up = Instant::now() + LATE;
    loop {
        let read = "select id::text, version from offers";
        let stored = sqlx::query_as::<_, (String, i64)>(read).fetch_all(&mut database).await.unwrap_or_default();
        let stored: HashMap<String, i64> = stored.into_iter().collect();
        let old = |(node, screen): &(usize, Arc<WatcherScreen>)| {
            let shown = screen.shown().into_iter().filter(|(offer, version)| stored.get(&**offer) > Some(&version.1));
            shown.map(|(offer, version)| (*node, offer, version.1)).collect::<Vec<_>>()
        };
        let late: Vec<_> = screens.iter().flat_map(old).collect();
        if late.is_empty() {
            return;
        }
        if Instant::now() > give_up {
            for (node, offer, version) in late {
                let what = format!(
                    "node {node} shows offer {offer} at version {version}, stored is {:?}",
                    stored.get(&*offer)
                );
                let rest = injector.context.rest(node, &injector.context.token("the-host", "host"));
                let response = rest.try_send(reqwest::Method::GET, &format!("/v1/offers/{offer}"), &[], None).await;
                let evidence = vec![format!("the node reports: {:?}", response.map(|response| response.body))];
                injector.context.record_violation(PromiseViolation {
                    evidence,
                    ..PromiseViolation::new("a lost message heals", what)
                });
            }
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

pub async fn join_all(mut tasks: JoinSet<()>, who: &str) {
    let ended = timeout(Duration::from_secs(120), async {
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap_or_else(|error| panic!("one of the {who}: {error}"));
        }
    });
    ended.await.unwrap_or_else(|_| panic!("the {who} do not come to an end"));
}

/// Waits until nothing is under way any more, for as long as the promises allow, and reads everything.
pub async fn gather_evidence(injector: &FaultInjector, levels: &StockHistory) -> Evidence {
    let mut database = postgres::connect(injector.database).await.expect("the database answers");
    const HELD: &str = "select count(*) from reservations where status = 'held'";
    // A request to the provider makes a hold longer: it lasts 20 s more at least.
    let longest = host::HOLD_MS + 25_000;
    wait_until_zero(&mut database, HELD, longest).await;
    settle_payments(injector, &mut database).await;
    // An attempt whose outcome was unknown until now had kept its hold.
    wait_until_zero(&mut database, HELD, longest).await;
    settle_payments(injector, &mut database).await;
    let (offers, orders, payments, book) =
        database_observer::read_all_rows(&mut database).await.expect("the database is read");
    let journal = &injector.context.journal;
    Evidence {
        requests: journal.requests(),
        pushed_orders: journal.pushed_orders(),
        host_actions: journal.host_actions(),
        levels: levels.all(),
        windows: injector.windows(),
        offers,
        orders,
        payments,
        provider_intents: book,
        read_at: injector.context.now(),
        hold_ms: host::HOLD_MS,
    }
}

/// A node checks unfinished payments after a minute, and at its start. Here the minute passes at once, and a node is
/// restarted. This is done more than once, because a provider may answer "later" to a void.
async fn settle_payments(injector: &FaultInjector, database: &mut PgConnection) {
    const OPEN: &str = "select (select count(*) from payments where status in ('creating', 'needs_action', 'authorized', 'voiding'))
        + (select count(*) from reservations where status = 'capturing') + (select count(*) from refunds where status = 'pending')";
    const AGE: &str = "update orders set changed_at = changed_at - 61000 where status = 'capturing';
        update payments set created_at = created_at - 140000, changed_at = changed_at - 61000, tried_at = 0 where status not in ('captured', 'declined', 'cancelled', 'failed');
        update refunds set changed_at = changed_at - 61000, tried_at = 0 where status = 'pending'";
    for node in &injector.nodes {
        wait_until_zero(database, OPEN, 500).await;
        if database_observer::query_number(database, OPEN).await.is_ok_and(|open| open == 0) {
            return;
        }
        sqlx::raw_sql(AGE).execute(&mut *database).await.expect("what is open is aged");
        let mut node = node.lock().await;
        node.kill().await;
        node.restart().await;
        wait_until_zero(database, OPEN, 10_000).await;
    }
}

async fn wait_until_zero(database: &mut PgConnection, count: &'static str, within_ms: i64) {
    let give_up = Instant::now() + Duration::from_millis(within_ms as u64);
    while Instant::now() < give_up
        && database_observer::query_number(database, count).await.is_ok_and(|count| count > 0)
    {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Buyers buy in every storm and in every quiet phase. A run in which nothing happens proves nothing.
fn check_progress(
    context: &RunContext,
    evidence: &Evidence,
    settings: &ChaosSettings,
    began_at: i64,
) -> Vec<PromiseViolation> {
    let mut found = Vec::new();
    for (from, to, storm) in fault::phases(settings.duration) {
        let (name, [from, to]) =
            (if storm { "storm" } else { "quiet" }, [from, to].map(|at| began_at + at.as_millis() as i64));
        let (bought, paid) = context.journal.progress(from, to);
        let since = |at: i64| (at - began_at) as f64 / 1e3;
        println!("{name} {:.1}-{:.1} s: {bought} purchases acknowledged, {paid} paid", since(from), since(to));
        let starved = oracle::starved_ms(&evidence.windows, from, to);
        if bought == 0 && to - from - starved > 5_000 {
            found.push(PromiseViolation::new(
                "selling continues",
                format!("no buyer bought anything in {from} to {to}"),
            ));
        }
    }
    found
}

pub fn print_summary(evidence: &Evidence, counts: &ObservedCounts, levels: &StockHistory, began_at: i64) {
    let outcomes = evidence.requests.iter().map(|request| match &request.outcome {
        RequestOutcome::Done(_) => format!("{:?} done", request.verb),
        RequestOutcome::Refused(code) => format!("{:?} {code}", request.verb),
        RequestOutcome::Unknown(_) => format!("{:?} unknown", request.verb),
    });
    let mut counters = std::collections::BTreeMap::new();
    outcomes.for_each(|outcome| *counters.entry(outcome).or_insert(0) += 1);
    println!("replies: {counters:?}");
    let (starved, faults): (Vec<_>, Vec<_>) = evidence.windows.iter().partition(|window| window.fault == STARVED);
    let still_ms: i64 = starved.iter().map(|window| window.to - window.from).sum();
    println!("the machine was starved {} times, {still_ms} ms in all", starved.len());
    starved.iter().for_each(|window| println!("    at {:.1} s", (window.from - began_at) as f64 / 1e3));
    for window in faults {
        let node = window.node.map(|node| format!(" of node {node}")).unwrap_or_default();
        let (at, lasted) = ((window.from - began_at) as f64 / 1e3, window.to - window.from);
        println!("fault at {at:.1} s: {}{node}, {lasted} ms {}", window.fault, window.note);
    }
    let (offers, orders) = (evidence.offers.len(), evidence.orders.len());
    println!(
        "{offers} offers, {orders} orders, {} counts received, {} database snapshots",
        counts.seen(),
        levels.snapshots()
    );
}

pub async fn keep_logs(injector: &FaultInjector, settings: &ChaosSettings) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", settings.seed));
    let _ = std::fs::create_dir_all(&folder);
    for node in &injector.nodes {
        let node = node.lock().await;
        let _ = std::fs::write(folder.join(format!("node-{}.log", node.number)), node.log());
    }
    println!("node logs: {}", folder.display());
}

/// All violations are counted; the evidence of a kind that comes often is kept for a few.
pub fn trim_evidence(violations: Vec<PromiseViolation>) -> Vec<PromiseViolation> {
    let mut printed = HashMap::new();
    let mut shorter = violations;
    for violation in &mut shorter {
        let times = printed.entry(violation.promise).or_insert(0);
        *times += 1;
        if *times > EVIDENCE_MAX {
            violation.evidence.clear();
        }
    }
    shorter
}
