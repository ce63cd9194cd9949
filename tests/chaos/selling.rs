//! The scene `selling`: three nodes on one Postgres, a hundred and twenty buyers, flash sales, and everything breaks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use livesouk::clock::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::board::{Board, Sale};
use crate::buyer::Buyer;
use crate::fault::{self, NODES};
use crate::host::{self, Host};
use crate::inflict::Stand;
use crate::journal::{Id, Outcome};
use crate::node::{self, Node};
use crate::oracle::{self, Breach, Evidence, RECOVERY_MS, STARVED};
use crate::postgres::Postgres;
use crate::settings::Settings;
use crate::side::{self, Levels};
use crate::support::shop::migrate;
use crate::till::{Till, Way, Wish};
use crate::watcher::{Counts, Screen, watch};
use crate::{Verdict, postgres};

const BUYERS: usize = 110;
const WATCHERS_A_NODE: usize = 2;
/// Breaches of one kind after which the rest is only counted.
const TOLD_MAX: usize = 5;

pub async fn play(settings: &Settings) -> Verdict {
    println!("scene selling, {} s, seed {}", settings.length.as_secs(), settings.seed);
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
        nodes.push(Node::start(number, postgres.address(), node::Settings::default()).await);
    }
    let urls: Vec<String> = nodes.iter().map(Node::url).collect();
    let host_token = crate::support::shop::sign(crate::support::shop::KEY, "the-host", "host", 100_000);
    let rest = crate::support::rest::Rest::new(&urls[0]).with_token(&host_token);
    let mut host =
        Host::open_show(|stream| Board::new(urls, stream, Clock::system()), &rest, host::rng_of(&mut rng)).await;
    let board = host.board();
    let database = postgres.address();
    let stand = Arc::new(Stand::new(board.clone(), postgres, database, nodes));

    let (counts, levels) = (Arc::new(Counts::default()), Arc::new(Levels::default()));
    let mut people = JoinSet::new();
    let mut observers = JoinSet::new();
    observers.spawn(side::look(board.clone(), counts.clone(), levels.clone(), stand.database));
    observers.spawn({
        let stand = stand.clone();
        async move { stand.feel_the_machine().await }
    });
    let mut screens = Vec::new();
    for node in (0..NODES * WATCHERS_A_NODE).map(|number| number % NODES) {
        let screen = Arc::new(Screen::default());
        screens.push((node, screen.clone()));
        observers.spawn(watch(board.clone(), counts.clone(), screen, node));
    }
    for number in 0..BUYERS {
        people.spawn(Buyer::new(board.clone(), &format!("buyer-{number:03}"), host::rng_of(&mut rng)).live());
    }
    let rush = host.rush(host::rng_of(&mut rng));
    people.spawn(rush.live());
    let refunds = host.rush(host::rng_of(&mut rng));
    people.spawn(refunds.give_back());

    let began_at = board.now();
    storm(&stand, settings, &mut rng).await;
    let healed_at = board.now();
    look_after_nodes(&stand).await;
    flows_again(&stand, &mut host, healed_at).await;
    sells_out(&stand, &mut host, 40).await;
    screens_are_up_to_date(&stand, &screens).await;

    board.over.cancel();
    finish(people, "buyers and host").await;
    finish(observers, "observers").await;
    let evidence = gather(&stand, &levels).await;
    let mut breaches = board.breaches();
    breaches.extend(oracle::judge(&evidence));
    breaches.extend(progress(&board, &evidence, settings, began_at));
    breaches.extend(ended_by_themselves(&stand).await);
    tell(&evidence, &counts, &levels, began_at);
    if !breaches.is_empty() {
        keep_logs(&stand, settings).await;
    }
    let faults = evidence.windows.iter().filter(|window| window.fault != STARVED).count();
    Verdict { faults, breaches: shorten(breaches) }
}

async fn storm(stand: &Stand, settings: &Settings, rng: &mut StdRng) {
    let began = Instant::now();
    let [of_nodes, of_database] = fault::plan(settings.seed, settings.length);
    let (one, other) = (host::rng_of(rng), host::rng_of(rng));
    tokio::join!(stand.walk(&of_nodes, began, one), stand.walk(&of_database, began, other));
    tokio::time::sleep_until(began + settings.length).await;
}

pub async fn look_after_nodes(stand: &Stand) {
    for node in &stand.nodes {
        node.lock().await.look_after().await;
    }
}

pub async fn ended_by_themselves(stand: &Stand) -> Vec<Breach> {
    let mut found = Vec::new();
    for node in &stand.nodes {
        let node = node.lock().await;
        let ended = node.ended_by_itself.iter();
        found.extend(ended.map(|said| Breach::new("nodes stay up", format!("node {} ended:\n{said}", node.number))));
    }
    found
}

/// After the last fault everybody sells and takes money again, on every node, each measured by itself.
pub async fn flows_again(stand: &Stand, host: &mut Host, healed_at: i64) {
    let Some(offer) = host.lasting_sale(1_000, 1).await else { return };
    let again = |node| sells_again(stand.board.clone(), offer.clone(), node, healed_at);
    (0..NODES).map(again).collect::<JoinSet<_>>().join_all().await;
}

async fn sells_again(board: Arc<Board>, offer: Id, node: usize, healed_at: i64) {
    let name: Id = format!("prober-{node}").into();
    let token = board.token(&name, "viewer");
    let till = Till { board: &board, buyer: &name, token: &token };
    let (buy, pay): (Id, Id) = (format!("probe-buy-{node}").into(), format!("probe-pay-{node}").into());
    let wish = Wish::Buy { offer: offer.clone(), qty: 1 };
    let seen = until_done(&till, &wish, &buy, node).await;
    if let Some(order) = seen {
        let wish = Wish::Pay { offer: offer.clone(), order, token: "ok" };
        until_done(&till, &wish, &pay, node).await;
    }
    let took = board.now() - healed_at;
    println!("node {node} sells and takes money {took} ms after the last fault");
    if took > RECOVERY_MS {
        board.breach(Breach::new("everything flows again", format!("node {node}: {took} ms after the last fault")));
    }
}

async fn until_done(till: &Till<'_>, wish: &Wish, key: &Id, node: usize) -> Option<Id> {
    let give_up = Instant::now() + Duration::from_secs(60);
    while Instant::now() < give_up {
        if let Outcome::Done(seen) = till.ask(wish, key, Way::rest(node)).await {
            return Some(seen.id);
        }
        sleep(Duration::from_millis(50)).await;
    }
    None
}

/// Nothing is broken and more people want a unit than there are: all are sold in the end, and none lies about for
/// longer than two seconds.
pub async fn sells_out(stand: &Stand, host: &mut Host, units: i64) {
    const LIES_ABOUT: Duration = Duration::from_secs(2);
    let board = &stand.board;
    let Some(offer) = host.lasting_sale(units, 1).await else { return };
    board.be_earnest(Sale { offer: offer.clone(), per_buyer: 1 });
    let give_up = Instant::now() + Duration::from_secs(100);
    let mut free_since = Instant::now();
    let Ok(mut database) = postgres::connect(stand.database).await else { return };
    loop {
        let read = "select quantity - reserved, (select count(*) from orders r where r.offer = o.id and status in ('held', 'capturing'))
            from offers o where id = $1::uuid";
        let Ok((left, open)) = sqlx::query_as::<_, (i64, i64)>(read).bind(&*offer).fetch_one(&mut database).await
        else {
            return;
        };
        let now = Instant::now();
        if left == 0 {
            free_since = now;
        }
        if left == 0 && open == 0 {
            return;
        }
        if now - free_since > LIES_ABOUT || now > give_up {
            let what =
                format!("{left} of {units} units of offer {offer} lie about, {open} are held, and many want one");
            board.breach(Breach::new("no undersell", what));
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// What viewers have before them is what is stored, at most a second and a bit late: also the end of a sale.
pub async fn screens_are_up_to_date(stand: &Stand, screens: &[(usize, Arc<Screen>)]) {
    const LATE: Duration = Duration::from_secs(3);
    let Ok(mut database) = postgres::connect(stand.database).await else { return };
    let give_up = Instant::now() + LATE;
    loop {
        let read = "select id::text, version from offers";
        let stored = sqlx::query_as::<_, (String, i64)>(read).fetch_all(&mut database).await.unwrap_or_default();
        let stored: HashMap<String, i64> = stored.into_iter().collect();
        let old = |(node, screen): &(usize, Arc<Screen>)| {
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
                let rest = stand.board.rest(node, &stand.board.token("the-host", "host"));
                let asked = rest.try_send(reqwest::Method::GET, &format!("/v1/offers/{offer}"), &[], None).await;
                let evidence = vec![format!("the node says of it: {:?}", asked.map(|answer| answer.body))];
                stand.board.breach(Breach { evidence, ..Breach::new("a lost message heals", what) });
            }
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

pub async fn finish(mut tasks: JoinSet<()>, who: &str) {
    let ended = timeout(Duration::from_secs(120), async {
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap_or_else(|error| panic!("one of the {who}: {error}"));
        }
    });
    ended.await.unwrap_or_else(|_| panic!("the {who} do not come to an end"));
}

/// Waits until nothing is under way any more, as far as the promises say how long that takes, and reads everything.
pub async fn gather(stand: &Stand, levels: &Levels) -> Evidence {
    let mut database = postgres::connect(stand.database).await.expect("the database answers");
    let longest = host::HOLD_MS + 5_000;
    until_none(&mut database, "select count(*) from orders where status = 'held'", longest).await;
    settle_payments(stand, &mut database).await;
    let (offers, orders, payments, book) = side::whole(&mut database).await.expect("the database is read");
    let journal = &stand.board.journal;
    Evidence {
        ops: journal.ops(),
        told: journal.told(),
        deeds: journal.deeds(),
        levels: levels.all(),
        windows: stand.windows(),
        offers,
        orders,
        payments,
        book,
        read_at: stand.board.now(),
        hold_ms: host::HOLD_MS,
    }
}

/// Whatever a node left unfinished is looked at after a minute, and at the start of a node. The minute passes at once,
/// and a node starts. More than once: a provider may say "later" to a void.
async fn settle_payments(stand: &Stand, database: &mut PgConnection) {
    const OPEN: &str = "select (select count(*) from payments where status in ('creating', 'needs_action', 'authorized', 'voiding'))
        + (select count(*) from orders where status = 'capturing') + (select count(*) from refunds where status = 'pending')";
    const AGE: &str = "update orders set changed_at = changed_at - 61000 where status = 'capturing';
        update payments set changed_at = changed_at - 61000, tried_at = 0 where status not in ('captured', 'declined', 'cancelled', 'failed');
        update refunds set changed_at = changed_at - 61000, tried_at = 0 where status = 'pending'";
    for node in &stand.nodes {
        until_none(database, OPEN, 500).await;
        if side::number(database, OPEN).await.is_ok_and(|open| open == 0) {
            return;
        }
        sqlx::raw_sql(AGE).execute(&mut *database).await.expect("what is open is aged");
        let mut node = node.lock().await;
        node.kill().await;
        node.start_again().await;
        until_none(database, OPEN, 10_000).await;
    }
}

async fn until_none(database: &mut PgConnection, count: &'static str, within_ms: i64) {
    let give_up = Instant::now() + Duration::from_millis(within_ms as u64);
    while Instant::now() < give_up && side::number(database, count).await.is_ok_and(|count| count > 0) {
        sleep(Duration::from_millis(100)).await;
    }
}

/// People buy in every storm and in every quiet; a run in which nothing happens proves nothing.
fn progress(board: &Board, evidence: &Evidence, settings: &Settings, began_at: i64) -> Vec<Breach> {
    let mut found = Vec::new();
    for (from, to, storm) in fault::phases(settings.length) {
        let (name, [from, to]) =
            (if storm { "storm" } else { "quiet" }, [from, to].map(|at| began_at + at.as_millis() as i64));
        let (bought, paid) = board.journal.progress(from, to);
        let since = |at: i64| (at - began_at) as f64 / 1e3;
        println!("{name} {:.1}-{:.1} s: {bought} purchases acknowledged, {paid} paid", since(from), since(to));
        let starved = evidence.windows.iter().filter(|window| window.fault == STARVED);
        let starved: i64 = starved.map(|window| (window.to.min(to) - window.from.max(from)).max(0)).sum();
        if bought == 0 && to - from - starved > 5_000 {
            found.push(Breach::new("selling goes on", format!("nobody bought anything in {from} to {to}")));
        }
    }
    found
}

pub fn tell(evidence: &Evidence, counts: &Counts, levels: &Levels, began_at: i64) {
    let outcomes = evidence.ops.iter().map(|op| match &op.outcome {
        Outcome::Done(_) => format!("{:?} done", op.verb),
        Outcome::Refused(code) => format!("{:?} {code}", op.verb),
        Outcome::Unknown(_) => format!("{:?} unknown", op.verb),
    });
    let mut tally = std::collections::BTreeMap::new();
    outcomes.for_each(|outcome| *tally.entry(outcome).or_insert(0) += 1);
    println!("answers: {tally:?}");
    let (starved, faults): (Vec<_>, Vec<_>) = evidence.windows.iter().partition(|window| window.fault == STARVED);
    let still_ms: i64 = starved.iter().map(|window| window.to - window.from).sum();
    println!("the machine stood still {} times, {still_ms} ms in all", starved.len());
    starved.iter().for_each(|window| println!("    at {:.1} s", (window.from - began_at) as f64 / 1e3));
    for window in faults {
        let node = window.node.map(|node| format!(" of node {node}")).unwrap_or_default();
        let (at, lasted) = ((window.from - began_at) as f64 / 1e3, window.to - window.from);
        println!("fault at {at:.1} s: {}{node}, {lasted} ms {}", window.fault, window.note);
    }
    let (offers, orders) = (evidence.offers.len(), evidence.orders.len());
    println!("{offers} offers, {orders} orders, {} counts seen, {} looks from the side", counts.seen(), levels.looks());
}

pub async fn keep_logs(stand: &Stand, settings: &Settings) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", settings.seed));
    let _ = std::fs::create_dir_all(&folder);
    for node in &stand.nodes {
        let node = node.lock().await;
        let _ = std::fs::write(folder.join(format!("node-{}.log", node.number)), node.log());
    }
    println!("what the nodes wrote: {}", folder.display());
}

/// All are counted; of a kind that comes in hundreds a few are told.
pub fn shorten(breaches: Vec<Breach>) -> Vec<Breach> {
    let mut told = HashMap::new();
    let mut shorter = breaches;
    for breach in &mut shorter {
        let times = told.entry(breach.promise).or_insert(0);
        *times += 1;
        if *times > TOLD_MAX {
            breach.evidence.clear();
        }
    }
    shorter
}
