//! The scene `nodes`: a shop of three nodes on one Redis and a Postgres with its standby; three hundred watch, talk and
//! check what they are told, others buy, and everything between the machines breaks.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livesouk::clock::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::board::Board;
use crate::buyer::Buyer;
use crate::census::{self, Eye};
use crate::crowd::{Crowd, PROBE};
use crate::fault::NODES;
use crate::health::{self, Health};
use crate::host::{Host, rng_of};
use crate::inflict::Stand;
use crate::journal::Millis;
use crate::line::Line;
use crate::mishap::{self, Mishap};
use crate::node::{self, Node};
use crate::oracle::{self, Breach, RECOVERY_MS, STARVED, bus};
use crate::postgres::Postgres;
use crate::selling::{
    finish, flows_again, gather, keep_logs, look_after_nodes, screens_are_up_to_date, sells_out, shorten,
};
use crate::settings::Settings;
use crate::side::{self, Levels};
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::rest::Rest;
use crate::support::shop::{KEY, migrate, sign};
use crate::town::{Pair, Town};
use crate::viewer::Viewer;
use crate::watcher::{Counts, Screen, watch};
use crate::{Verdict, pin, selling};

const VIEWERS: usize = 300;
const BUYERS: usize = 40;
/// Every kind of mishap comes in a run that is at least as long.
const WHOLE_RUN: Duration = Duration::from_secs(90);
/// A stretch of the run in which somebody has to buy something.
const STRETCH_MS: Millis = 15_000;

pub async fn play(settings: &Settings) -> Verdict {
    println!("scene nodes, {} s, seed {}", settings.length.as_secs(), settings.seed);
    let mut rng = StdRng::seed_from_u64(settings.seed ^ 0x40de5);
    let (town, mut host) = build(settings, &mut rng).await;
    let board = town.stand.board.clone();
    let crowd = Arc::new(Crowd::new(board.clone(), VIEWERS));

    let (counts, levels) = (Arc::new(Counts::default()), Arc::new(Levels::default()));
    let (mut people, mut observers) = (JoinSet::new(), JoinSet::new());
    observers.spawn(side::look(board.clone(), counts.clone(), levels.clone(), town.stand.database));
    observers.spawn({
        let stand = town.stand.clone();
        async move { stand.feel_the_machine().await }
    });
    let (mut screens, mut eyes, mut healths) = (Vec::new(), Vec::new(), Vec::new());
    for node in 0..NODES {
        let (screen, eye, health) =
            (Arc::new(Screen::default()), Arc::new(Eye::default()), Arc::new(Health::default()));
        observers.spawn(watch(board.clone(), counts.clone(), screen.clone(), node));
        observers.spawn(census::watch(board.clone(), eye.clone(), node));
        observers.spawn(health::look(board.clone(), health.clone(), node));
        screens.push((node, screen));
        eyes.push(eye);
        healths.push(health);
    }
    let longest = Arc::new(Mutex::new(0));
    observers.spawn(census::count(town.clone(), crowd.clone(), eyes.clone(), longest.clone()));
    for number in 0..VIEWERS {
        people.spawn(Viewer::new(crowd.clone(), number, rng_of(&mut rng)).live());
    }
    for number in 0..BUYERS {
        people.spawn(Buyer::new(board.clone(), &format!("buyer-{number:03}"), rng_of(&mut rng)).live());
    }
    people.spawn(host.rush(rng_of(&mut rng)).live());
    people.spawn(host.rush(rng_of(&mut rng)).give_back());
    people.spawn(pin::point(board.clone(), rng_of(&mut rng)));

    let (began, began_at) = (Instant::now(), board.now());
    let [of_bus, of_the_rest] = mishap::plan(settings.seed, settings.length);
    tokio::join!(town.walk_bus(&of_bus, began), town.walk_rest(&of_the_rest, began, rng_of(&mut rng)));
    let healed_at = board.now();
    look_after_nodes(&town.stand).await;
    tokio::join!(talk_flows_again(&town, &crowd, &eyes, healed_at), flows_again(&town.stand, &mut host, healed_at));
    sleep_until(began + settings.length).await;
    sells_out(&town.stand, &mut host, BUYERS as i64 / 3).await;
    screens_are_up_to_date(&town.stand, &screens).await;

    board.over.cancel();
    finish(people, "viewers, buyers and host").await;
    finish(observers, "observers").await;
    let evidence = gather(&town.stand, &levels).await;
    let mut breaches = board.breaches();
    breaches.extend(oracle::judge(&evidence));
    let looks: Vec<_> = healths.iter().map(|health| health.looks()).collect();
    let (late, seen_after) = bus::judge(&looks, &town.outages(), &evidence.windows);
    let late_deaths = late.len();
    breaches.extend(late);
    breaches.extend(lost_messages(&town, &crowd));
    breaches.extend(selling_goes_on(&town, began_at, healed_at));
    breaches.extend(whole(&town, settings, seen_after.len() + late_deaths));
    breaches.extend(selling::ended_by_themselves(&town.stand).await);
    selling::tell(&evidence, &counts, &levels, began_at);
    for outage in town.outages() {
        let of_node = outage.node.map(|node| format!(" of node {node}")).unwrap_or_default();
        let (at, lasted) = ((outage.from - began_at) as f64 / 1e3, outage.to - outage.from);
        println!("bus at {at:.1} s: {:?}{of_node}, {lasted} ms", outage.mishap);
    }
    println!("the death of the bus was told after {seen_after:?} ms");
    println!("the count of viewers was wrong for at most {} ms", longest.lock().unwrap());
    crowd.tell();
    keep_logs(&town.stand, settings).await;
    Verdict { faults: town.done().len(), breaches: shorten(breaches) }
}

/// Everything that is to break.
async fn build(settings: &Settings, rng: &mut StdRng) -> (Arc<Town>, Host) {
    let Pair { primary, standby } = match Pair::start().await {
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
        let more = node::Settings { args, planted: settings.planted.clone() };
        nodes.push(Node::start(number, primary.address(), more).await);
        buses.push(bus);
    }
    let urls: Vec<String> = nodes.iter().map(Node::url).collect();
    let rest = Rest::new(&urls[0]).with_token(&sign(KEY, "the-host", "host", 100_000));
    let host = Host::open_show(|stream| Board::new(urls, stream, Clock::system()), &rest, rng_of(rng)).await;
    let stand = Arc::new(Stand::new(host.board(), primary, way.address(), nodes));
    (Arc::new(Town::new(stand, buses, redis, way, standby)), host)
}

/// After the last mishap: talk at every node reaches every viewer, a pin every node, and the count of viewers is right.
async fn talk_flows_again(town: &Town, crowd: &Crowd, eyes: &[Arc<Eye>], healed_at: Millis) {
    let board = &town.stand.board;
    let give_up = Instant::now() + Duration::from_secs(60);
    for node in 0..NODES {
        let text = format!("{PROBE}{node}");
        let heard = async || {
            if !says(board, node, &text).await {
                return None;
            }
            // Said: it is heard, or was lost with the bus and is said again.
            for _ in 0..100 {
                if let Some(at) = crowd.probe(&text)
                    && crowd.behind(at).is_empty()
                {
                    return Some(());
                }
                sleep(Duration::from_millis(50)).await;
            }
            None
        };
        while heard().await.is_none() && Instant::now() < give_up {
            sleep(Duration::from_millis(100)).await;
        }
        let behind = crowd.probe(&text).map(|at| crowd.behind(at));
        late(town, healed_at, &format!("talk at node {node} reaches all viewers"), || format!("not there: {behind:?}"));
    }
    let counted = async || {
        let (there, shown) = census::counts(crowd, eyes);
        shown.iter().all(|shown| census::is_right(there, *shown)).then_some(())
    };
    while counted().await.is_none() && Instant::now() < give_up {
        sleep(Duration::from_millis(100)).await;
    }
    late(town, healed_at, "the count of viewers is right", || format!("{:?}", census::counts(crowd, eyes)));
    let Some(sale) = board.pick(&mut StdRng::seed_from_u64(0)) else { return };
    let pinned = || eyes.iter().all(|eye| eye.state("pin").is_some_and(|pin| pin["offer"] == *sale.offer));
    while !pinned() && Instant::now() < give_up {
        // Somebody else points at things too.
        pin::show(board, 0, Some(&sale.offer)).await;
        for _ in 0..10 {
            if pinned() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    late(town, healed_at, "a pin reaches every node", || {
        format!("{:?}", eyes.iter().map(|eye| eye.state("pin")).collect::<Vec<_>>())
    });
}

fn late(town: &Town, healed_at: Millis, what: &str, detail: impl Fn() -> String) {
    let board = &town.stand.board;
    let took = board.now() - healed_at;
    println!("{what} {took} ms after the last fault");
    if took > RECOVERY_MS {
        let what = format!("{what}: {took} ms after the last fault; {}", detail());
        board.breach(Breach::new("everything flows again", what));
    }
}

/// The host says something at a node; whether it was taken.
async fn says(board: &Board, node: usize, text: &str) -> bool {
    let token = board.token("the-host", "host");
    let Ok((mut line, _)) = Line::open(&board.urls[node], &board.stream, Some(&token)).await else { return false };
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

/// Told to be said, and heard by nobody: only when the bus broke at that moment, which every viewer was told.
fn lost_messages(town: &Town, crowd: &Crowd) -> Option<Breach> {
    let outages = town.outages();
    let near =
        |at: Millis| outages.iter().any(|outage| outage.from - 1_000 <= at && at <= outage.to.saturating_add(5_000));
    let lost: Vec<_> = crowd.unheard().into_iter().filter(|(_, at)| !near(*at)).collect();
    (!lost.is_empty()).then(|| {
        let what = format!("{} messages were acknowledged and heard by nobody", lost.len());
        Breach {
            evidence: lost.iter().take(5).map(|lost| format!("{lost:?}")).collect(),
            ..Breach::new("talk is told", what)
        }
    })
}

/// People buy all the time, also while Redis is dead.
fn selling_goes_on(town: &Town, from: Millis, to: Millis) -> Vec<Breach> {
    let windows = town.stand.windows();
    let mut stretches: Vec<(String, Millis, Millis)> = Vec::new();
    let mut at = from;
    while at + STRETCH_MS <= to {
        stretches.push(("the run".to_owned(), at, at + STRETCH_MS));
        at += STRETCH_MS;
    }
    for outage in town.outages().into_iter().filter(|outage| outage.to - outage.from >= 4_000) {
        let store_is_well = !windows.iter().any(|window| {
            window.fault != STARVED && window.from <= outage.to && outage.from <= window.to.saturating_add(4_000)
        });
        if store_is_well {
            stretches.push((format!("{:?}", outage.mishap), outage.from, outage.to));
        }
    }
    let mut found = Vec::new();
    for (what, from, to) in stretches {
        let (bought, paid) = town.stand.board.journal.progress(from, to);
        println!("{what}, {} s: {bought} purchases acknowledged, {paid} paid", (to - from) / 1_000);
        let starved = windows.iter().filter(|window| window.fault == STARVED);
        let starved: i64 = starved.map(|window| (window.to.min(to) - window.from.max(from)).max(0)).sum();
        if bought == 0 && to - from - starved > 3_000 {
            found.push(Breach::new("selling goes on", format!("nobody bought anything in {what}, {from} to {to}")));
        }
    }
    found
}

/// A run in which something did not happen proves nothing about it.
fn whole(town: &Town, settings: &Settings, deaths_judged: usize) -> Option<Breach> {
    let done: HashSet<Mishap> = town.done().into_iter().collect();
    let missing: Vec<_> =
        Mishap::OF_BUS.iter().chain(&Mishap::OF_THE_REST).filter(|mishap| !done.contains(mishap)).collect();
    let is_whole = missing.is_empty() && NODES <= deaths_judged;
    let what = || format!("{missing:?} did not; {deaths_judged} deaths of the bus were judged");
    (WHOLE_RUN <= settings.length && !is_whole).then(|| Breach::new("every fault happens", what()))
}
