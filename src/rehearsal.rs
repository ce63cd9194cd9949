//! How a rehearsal is played: a node of its own inside this process, with a store in a folder of its own, and the load
//! test's crowd, which plays a whole evening and checks what it is told.
//!
//! The node listens on loopback and its key is made up for the run, so nobody else gets in; nothing in it can touch the
//! real shop, and it is gone afterwards.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use loadtest::args::{LoadtestArgs, Scenario};
use loadtest::measurements::LatencyClass;
use loadtest::report::LoadtestReport;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::app::{Rehearsal, RehearsalPlan, RehearsalRunner, Settings};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::LimitArgs;
use crate::domain::rehearsal::RehearsalForm;
use crate::http::auth::TokenAuth;
use crate::http::{Origins, TrustedProxies};
use crate::node::{self, Node, NodeConfig};
use crate::protocol::RehearsalStatus;
use crate::store::Store;

const FOLDER_PREFIX: &str = "livesouk-rehearsal-";
/// Seconds in which everybody arrives.
const RAMP_S: u64 = 3;
/// Messages a second at the height of the evening.
const MESSAGES_PER_SECOND_MAX: f64 = 20.0;
/// Connections of the crowd, and its requests.
const REHEARSAL_CONNECTIONS_MAX: usize = 300;

/// What the app plays rehearsals with.
pub fn rehearsal_runner() -> RehearsalRunner {
    Arc::new(|plan, run| Box::pin(run_rehearsal(plan, run)))
}

async fn run_rehearsal(plan: RehearsalPlan, run: Arc<Rehearsal>) -> Result<(), String> {
    let folder = RehearsalFolder::create().map_err(|error| format!("no folder for a rehearsal: {error}"))?;
    let key = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    // On threads of their own: opening and serving a node are futures for a thread's top, not for a task.
    let here = Handle::current();
    let (of, signed) = (plan.clone(), key.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let opened = here.block_on(start_node(&of, &folder, &signed));
        opened.map(|node| (node, folder))
    });
    let (node, folder) = opening.await.map_err(|error| format!("the room failed: {error}"))??;
    let address = node.address().map_err(|error| error.to_string())?;
    let args = simulation_args(&plan, address, key)?;
    let stop = CancellationToken::new();
    let (here, asked_to_stop) = (Handle::current(), stop.clone().cancelled_owned());
    let serving = tokio::task::spawn_blocking(move || here.block_on(node.serve(asked_to_stop)));
    let crowd = run.clone();
    let played = tokio::task::spawn_blocking(move || {
        let watcher = progress_reporter(crowd.clone());
        loadtest::run_with_progress(&args, Some(watcher), crowd.stop.clone())
    });
    let played = played.await;
    stop.cancel();
    let _ = serving.await;
    drop(folder);
    let report = played.map_err(|error| format!("the crowd failed: {error}"))?.map_err(|error| format!("{error:#}"))?;
    run.update(|told| apply_report(told, report));
    Ok(())
}

/// A node that is no part of anything else.
async fn start_node(plan: &RehearsalPlan, folder: &RehearsalFolder, key: &str) -> Result<Node, String> {
    let clock = Clock::system();
    let url = format!("sqlite:{}", folder.0.join("livesouk.db").display());
    let store = Store::open(&url, clock.clone(), 1).await.map_err(|error| error.to_string())?;
    let shop = node::shop(&store, &plan.shop.title, &plan.shop.currency).await.map_err(|error| error.to_string())?;
    let limits = LimitArgs {
        chat_days: 0,
        chat_per_second: plan.chat.viewer_per_s,
        room_chat_per_second: plan.chat.room_per_s,
        connections_max: Some(REHEARSAL_CONNECTIONS_MAX),
        joins_per_second: Some(0.0),
        deflate: true,
        grace_seconds: Some(0.0),
        drain_seconds: 0.0,
    };
    let plan = NodeConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        metrics_listen: None,
        store,
        broker: Broker::local(),
        clock: clock.clone(),
        shop,
        auth: TokenAuth::new(&[key.to_owned()], clock)?,
        origins: Origins::new(&[], None)?,
        trusted_proxies: TrustedProxies::default(),
        settings: Settings { chat: plan.chat, ..Settings::default() },
        limits,
    };
    Node::start(plan).await.map_err(|error| error.to_string())
}

fn simulation_args(plan: &RehearsalPlan, address: SocketAddr, key: String) -> Result<LoadtestArgs, String> {
    let RehearsalForm { viewers, seconds } = plan.form;
    let budget = plan.chat.viewer_per_s;
    // A small crowd cannot say as much as a large one, nor may it say more than the room takes.
    let own = if budget > 0.0 { f64::from(viewers) * budget / 2.0 } else { MESSAGES_PER_SECOND_MAX };
    let room = if plan.chat.room_per_s > 0.0 { plan.chat.room_per_s / 2.0 } else { MESSAGES_PER_SECOND_MAX };
    Ok(LoadtestArgs {
        scenario: Scenario::Show,
        url: format!("http://{address}").parse().map_err(|_| "no address for the crowd".to_owned())?,
        stream: None,
        viewers,
        rooms: 1,
        rate: Some(MESSAGES_PER_SECOND_MAX.min(own).min(room)),
        seconds,
        ramp_s: RAMP_S,
        stock: None,
        seed: 1,
        sources: None,
        auth_key: Some(key),
        chat_per_second: budget,
        deflate: true,
        store: None,
        json: None,
        html: None,
        budget_p99_ms: None,
        quiet: true,
    })
}

/// What the host sees while it runs.
fn progress_reporter(run: Arc<Rehearsal>) -> loadtest::simulation::ProgressCallback {
    Box::new(move |crowd| {
        let counters = &crowd.measurements.counters;
        let [_, p99] = crowd.measurements.recent(LatencyClass::Chat);
        run.update(|told| {
            told.elapsed_s = crowd.now() / 1_000_000;
            // The host of the evening is no viewer.
            told.connected = crowd.connected().min(u64::from(told.viewers));
            told.messages = counters.messages_acknowledged;
            told.orders_held = counters.held;
            if p99 > 0.0 {
                told.delivery_p99_ms = Some(p99);
            }
        });
    })
}

fn apply_report(told: &mut crate::protocol::RehearsalView, report: LoadtestReport) {
    told.connected = report.connected_max.min(u64::from(told.viewers));
    told.messages = report.counters.messages_acknowledged;
    told.orders_held = report.orders.held as u64;
    told.delivery_p99_ms = report.latency_ms.get("chat").map(|chat| chat.p99).or(told.delivery_p99_ms);
    told.status = if report.exit_code == 0 { RehearsalStatus::Passed } else { RehearsalStatus::Failed };
    told.why = (report.exit_code != 0).then_some(report.verdict);
    told.checks = report.checks;
}

/// Removed with its content when it is dropped; those of a process that died are removed by the next rehearsal.
struct RehearsalFolder(PathBuf);

impl RehearsalFolder {
    fn create() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let all = std::env::temp_dir();
        for entry in std::fs::read_dir(&all)?.flatten() {
            let name = entry.file_name();
            let pid =
                name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)?.split('-').next()?.parse::<u32>().ok());
            if pid.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let own = all.join(format!("{FOLDER_PREFIX}{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()));
        std::fs::DirBuilder::new().mode(0o700).create(&own)?;
        Ok(Self(own))
    }
}

impl Drop for RehearsalFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
