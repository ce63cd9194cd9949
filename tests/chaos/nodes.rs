//! The scene `nodes`: three nodes on one Redis, and a PostgreSQL with its standby. Three hundred viewers watch, chat and
//! check what they receive, others buy, and every link between the machines fails.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livesouk::clock::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::buyer::ChaosBuyer;
use crate::cluster::{ChaosCluster, PostgresPair};
use crate::database_observer::{self, StockHistory};
use crate::fault::NODES;
use crate::fault_plan::{self, ClusterFault};
use crate::health::{self, HealthLog};
use crate::host::{ChaosHost, fork_rng};
use crate::injector::FaultInjector;
use crate::journal::Millis;
use crate::live_connection;
use crate::node::{self, ChaosNode};
use crate::oracle::{self, PromiseViolation, RECOVERY_MS, STARVED, broker};
use crate::postgres::Postgres;
use crate::run_context::RunContext;
use crate::selling::{
    check_screens_current, check_selling_recovered, check_sells_out, gather_evidence, join_all, keep_logs,
    restart_exited_nodes, trim_evidence,
};
use crate::settings::ChaosSettings;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::rest::Rest;
use crate::support::shop::{KEY, migrate, sign};
use crate::viewer::ChaosViewer;
use crate::viewer_count::{self, NodeView};
use crate::viewer_group::{PROBE, ViewerGroup};
use crate::watcher::{ObservedCounts, WatcherScreen, watch};
use crate::{SceneResult, pin, selling};

const VIEWERS: usize = 300;
const BUYERS: usize = 40;
/// Every kind of fault comes in a run that is at least this long.
const WHOLE_RUN: Duration = Duration::from_secs(90);
/// How long the end of a run waits for outstanding replies and broadcasts.
const END_DEADLINE: Duration = Duration::from_secs(60);
/// In every interval of this length, at least one buyer must buy something.
const PURCHASE_INTERVAL_MS: Millis = 15_000;

pub async fn run_scene(settings: &ChaosSettings) -> SceneResult {
    println!("scene nodes, {} s, seed {}", settings.duration.as_secs(), settings.seed);
    let mut rng = StdRng::seed_from_u64(settings.seed ^ 0x40de5);
    let (cluster, mut host) = build_cluster(settings, &mut rng).await;
    let context = cluster.injector.context.clone();
    let group = Arc::new(ViewerGroup::new(context.clone(), VIEWERS));

    let (counts, levels) = (Arc::new(ObservedCounts::default()), Arc::new(StockHistory::default()));
    let (mut people, mut observers) = (JoinSet::new(), JoinSet::new());
    observers.spawn(database_observer::look(
        context.clone(),
        counts.clone(),
        levels.clone(),
        cluster.injector.database,
    ));
    let starvation = cluster.injector.detect_starvation();
    let (mut screens, mut views, mut healths) = (Vec::new(), Vec::new(), Vec::new());
    for node in 0..NODES {
        let (screen, view, health) =
            (Arc::new(WatcherScreen::default()), Arc::new(NodeView::default()), Arc::new(HealthLog::default()));
        observers.spawn(watch(context.clone(), counts.clone(), screen.clone(), node));
        observers.spawn(viewer_count::watch(context.clone(), view.clone(), node));
        observers.spawn(health::poll_health(context.clone(), health.clone(), node));
        screens.push((node, screen));
        views.push(view);
        healths.push(health);
    }
    let longest = Arc::new(Mutex::new(0));
    observers.spawn(viewer_count::count(cluster.clone(), group.clone(), views.clone(), longest.clone()));
    for number in 0..VIEWERS {
        observers.spawn(ChaosViewer::new(group.clone(), number, fork_rng(&mut rng)).live());
    }
    for number in 0..BUYERS {
        people.spawn(ChaosBuyer::new(context.clone(), &format!("buyer-{number:03}"), fork_rng(&mut rng)).live());
    }
    people.spawn(host.fork(fork_rng(&mut rng)).live());
    people.spawn(host.fork(fork_rng(&mut rng)).refund_orders());
    people.spawn(pin::pin_repeatedly(context.clone(), fork_rng(&mut rng)));

    let (began, began_at) = (Instant::now(), context.now());
    let broker_rng = fork_rng(&mut rng);
    let [of_bus, of_the_rest] = fault_plan::plan(settings.seed, settings.duration);
    tokio::join!(
        cluster.run_broker_faults(&of_bus, began, broker_rng),
        cluster.run_other_faults(&of_the_rest, began, fork_rng(&mut rng))
    );
    let healed_at = context.now();
    restart_exited_nodes(&cluster.injector).await;
    tokio::join!(
        check_chat_recovered(&cluster, &group, &views, healed_at),
        check_selling_recovered(&cluster.injector, &mut host, healed_at)
    );
    sleep_until(began + settings.duration).await;
    check_sells_out(&cluster.injector, &mut host, BUYERS as i64 / 3).await;
    check_screens_current(&cluster.injector, &screens).await;

    // The hardest moment to stop in, and a common one: a reply is sent before the next broadcast to the room.
    let _ = timeout(END_DEADLINE, group.wait_for_reply_before_broadcast()).await;
    context.over.cancel();
    tokio::join!(join_all(people, "buyers and host"), wait_for_last_message(&cluster, &group));
    context.unwatched.cancel();
    join_all(observers, "viewers and observers").await;
    let evidence = gather_evidence(&cluster.injector, &levels).await;
    drop(starvation);
    let mut violations = context.violations();
    violations.extend(oracle::check_promises(&evidence));
    let checks: Vec<_> = healths.iter().map(|health| health.checks()).collect();
    let (late, seen_after) = broker::check(&checks, &cluster.outages(), &evidence.windows);
    let late_deaths = late.len();
    violations.extend(late);
    violations.extend(find_lost_messages(&cluster, &group));
    violations.extend(check_selling_continued(&cluster, began_at, healed_at));
    violations.extend(check_all_faults_happened(&cluster, settings, seen_after.len() + late_deaths));
    violations.extend(selling::unexpected_exits(&cluster.injector).await);
    selling::print_summary(&evidence, &counts, &levels, began_at);
    for outage in cluster.outages() {
        let of_node = outage.node.map(|node| format!(" of node {node}")).unwrap_or_default();
        let (at, lasted) = ((outage.from - began_at) as f64 / 1e3, outage.to - outage.from);
        println!("broker fault at {at:.1} s: {:?}{of_node}, {lasted} ms", outage.fault);
    }
    println!("broker failures were reported after {seen_after:?} ms");
    println!("the count of viewers was wrong for at most {} ms", longest.lock().unwrap());
    group.print_summary();
    keep_logs(&cluster.injector, settings).await;
    SceneResult { faults: cluster.injected().len(), violations: trim_evidence(violations) }
}

/// Starts everything that can have a fault.
async fn build_cluster(settings: &ChaosSettings, rng: &mut StdRng) -> (Arc<ChaosCluster>, ChaosHost) {
    let PostgresPair { primary, standby } = match PostgresPair::start().await {
        Ok(pair) => pair,
        Err(why) => {
            eprintln!("chaos: {why}");
            std::process::exit(2);
        }
    };
    migrate(&Postgres::url_at(primary.address())).await;
    let redis = Redis::start().await;
    let way = Proxy::start(primary.address()).await;
    let (mut nodes, mut buses) = (Vec::new(), Vec::new());
    for number in 0..NODES {
        let bus = Proxy::start(redis.address()).await;
        let url = format!("redis://{}", bus.address());
        let args = ["--broker", &url, "--grace-seconds", "1", "--drain-seconds", "1"];
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let more = node::NodeSettings { args, injected_fault: settings.injected_fault.clone(), ..Default::default() };
        nodes.push(ChaosNode::start(number, primary.address(), more).await);
        buses.push(bus);
    }
    let urls: Vec<String> = nodes.iter().map(ChaosNode::url).collect();
    let rest = Rest::new(&urls[0]).with_token(&sign(KEY, "the-host", "host", 100_000));
    let host =
        ChaosHost::open_show(|stream| RunContext::new(urls, stream, Clock::system()), &rest, fork_rng(rng)).await;
    let injector = Arc::new(FaultInjector::new(host.context(), primary, way.address(), nodes));
    (Arc::new(ChaosCluster::new(injector, buses, redis, way, standby)), host)
}

/// After the last fault: chat at every node reaches every viewer, a pin reaches every node, and the viewer counts are
/// right.
async fn check_chat_recovered(cluster: &ChaosCluster, group: &ViewerGroup, views: &[Arc<NodeView>], healed_at: Millis) {
    let context = &cluster.injector.context;
    let give_up = Instant::now() + END_DEADLINE;
    for node in 0..NODES {
        let text = format!("{PROBE}{node}");
        let received = async || {
            if !send_host_message(context, node, &text).await {
                return None;
            }
            // The message was acknowledged: either it is delivered, or it was lost with the broker and is sent again.
            for _ in 0..100 {
                if let Some(at) = group.probe(&text)
                    && group.behind(at).is_empty()
                {
                    return Some(());
                }
                sleep(Duration::from_millis(50)).await;
            }
            None
        };
        while received().await.is_none() && Instant::now() < give_up {
            sleep(Duration::from_millis(100)).await;
        }
        let behind = group.probe(&text).map(|at| group.behind(at));
        check_recovery_time(cluster, healed_at, &format!("chat from node {node} reaches all viewers"), || {
            format!("not there: {behind:?}")
        });
    }
    let counted = async || {
        let (there, shown) = viewer_count::actual_and_shown(group, views);
        shown.iter().all(|shown| viewer_count::is_within_tolerance(there, *shown)).then_some(())
    };
    while counted().await.is_none() && Instant::now() < give_up {
        sleep(Duration::from_millis(100)).await;
    }
    check_recovery_time(cluster, healed_at, "the viewer count is correct", || {
        format!("{:?}", viewer_count::actual_and_shown(group, views))
    });
    // The host pins other offers too, and a sale may be over before it is pinned.
    let pinned = async || {
        let sale = context.pick_sale(&mut StdRng::seed_from_u64(0))?;
        if !pin::set_pin(context, 0, Some(&sale.offer)).await {
            return None;
        }
        for _ in 0..20 {
            if views.iter().all(|view| view.state("pin").is_some_and(|pin| pin["offer"] == *sale.offer)) {
                return Some(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        None
    };
    while pinned().await.is_none() && Instant::now() < give_up {
        sleep(Duration::from_millis(100)).await;
    }
    check_recovery_time(cluster, healed_at, "a pin reaches every node", || {
        format!("{:?}", views.iter().map(|view| view.state("pin")).collect::<Vec<_>>())
    });
}

fn check_recovery_time(cluster: &ChaosCluster, healed_at: Millis, what: &str, detail: impl Fn() -> String) {
    let context = &cluster.injector.context;
    let took = cluster.injector.recovery_time(healed_at);
    println!("{what} {took} after the last fault");
    if took.counted_ms() > RECOVERY_MS {
        let what = format!("{what}: {took} after the last fault; {}", detail());
        context.record_violation(PromiseViolation::new("the cluster recovers", what));
    }
}

/// The host sends a message at a node. Returns whether it was acknowledged.
async fn send_host_message(context: &RunContext, node: usize, text: &str) -> bool {
    let token = context.token("the-host", "host");
    let Ok((mut line, _)) = live_connection::join(&context.urls[node], &context.stream, Some(&token)).await else {
        return false;
    };
    if line.send(&json!({"do": "say", "ref": "1", "text": text})).await.is_err() {
        return false;
    }
    while let Ok(frame) = line.next().await {
        if frame["t"] == "reply" {
            return frame["ok"].is_object();
        }
    }
    false
}

/// Senders have stopped. Waits until every message in flight is answered and every acknowledged message has reached every
/// viewer, so that no viewer disconnects too early and the server is not blamed for it.
async fn wait_for_last_message(cluster: &ChaosCluster, group: &ViewerGroup) {
    let context = &cluster.injector.context;
    let (over_at, give_up) = (context.now(), Instant::now() + END_DEADLINE);
    // A viewer reports a violation by itself when its answer takes too long.
    while !group.has_no_pending_messages() && Instant::now() < give_up {
        sleep(Duration::from_millis(20)).await;
    }
    let behind = || group.newest_acknowledged().map(|at| group.behind(at)).unwrap_or_default();
    while !(undelivered(cluster, group).is_empty() && behind().is_empty()) && Instant::now() < give_up {
        sleep(Duration::from_millis(20)).await;
    }
    let took = context.now() - over_at;
    println!("every viewer received the last message {took} ms after the run was over");
    if took > RECOVERY_MS {
        let what = format!("the last message reaches all viewers: {took} ms after it; not there: {:?}", behind());
        context.record_violation(PromiseViolation::new("acknowledged messages are delivered", what));
    }
}

/// Messages that were acknowledged and delivered to no viewer. That is allowed only when the broker failed at that moment,
/// which every viewer was told.
fn undelivered(cluster: &ChaosCluster, group: &ViewerGroup) -> Vec<(String, Millis)> {
    let outages = cluster.outages();
    let near =
        |at: Millis| outages.iter().any(|outage| outage.from - 1_000 <= at && at <= outage.to.saturating_add(5_000));
    group.undelivered_messages().into_iter().filter(|(_, at)| !near(*at)).collect()
}

fn find_lost_messages(cluster: &ChaosCluster, group: &ViewerGroup) -> Option<PromiseViolation> {
    let lost = undelivered(cluster, group);
    (!lost.is_empty()).then(|| {
        let what = format!("{} messages were acknowledged and delivered to no viewer", lost.len());
        PromiseViolation {
            evidence: lost.iter().take(5).map(|lost| format!("{lost:?}")).collect(),
            ..PromiseViolation::new("acknowledged messages are delivered", what)
        }
    })
}

/// Buyers buy all the time, also while Redis is dead.
fn check_selling_continued(cluster: &ChaosCluster, from: Millis, to: Millis) -> Vec<PromiseViolation> {
    let windows = cluster.injector.windows();
    let mut stretches: Vec<(String, Millis, Millis)> = Vec::new();
    let mut at = from;
    while at + PURCHASE_INTERVAL_MS <= to {
        stretches.push(("the run".to_owned(), at, at + PURCHASE_INTERVAL_MS));
        at += PURCHASE_INTERVAL_MS;
    }
    for outage in cluster.outages().into_iter().filter(|outage| outage.to - outage.from >= 4_000) {
        let store_is_well = !windows.iter().any(|window| {
            window.fault != STARVED && window.from <= outage.to && outage.from <= window.to.saturating_add(4_000)
        });
        if store_is_well {
            stretches.push((format!("{:?}", outage.fault), outage.from, outage.to));
        }
    }
    let mut found = Vec::new();
    for (what, from, to) in stretches {
        let (bought, paid) = cluster.injector.context.journal.progress(from, to);
        println!("{what}, {} s: {bought} purchases acknowledged, {paid} paid", (to - from) / 1_000);
        let starved = oracle::starved_ms(&windows, from, to);
        if bought == 0 && to - from - starved > 3_000 {
            found.push(PromiseViolation::new(
                "selling continues",
                format!("no buyer bought anything in {what}, {from} to {to}"),
            ));
        }
    }
    found
}

/// A run in which a fault did not happen proves nothing about it.
fn check_all_faults_happened(
    cluster: &ChaosCluster,
    settings: &ChaosSettings,
    deaths_judged: usize,
) -> Option<PromiseViolation> {
    let done: HashSet<ClusterFault> = cluster.injected().into_iter().collect();
    let missing: Vec<_> = ClusterFault::BROKER_FAULTS
        .iter()
        .chain(&ClusterFault::OTHER_FAULTS)
        .filter(|fault| !done.contains(fault))
        .collect();
    let rooms_opened = cluster.rooms_opened.load(Ordering::Relaxed);
    let is_whole = missing.is_empty() && NODES <= deaths_judged && 0 < rooms_opened;
    let what = || {
        format!(
            "{missing:?} did not happen; {deaths_judged} broker failures were checked; {rooms_opened} shows were opened"
        )
    };
    (WHOLE_RUN <= settings.duration && !is_whole).then(|| PromiseViolation::new("every fault happens", what()))
}
