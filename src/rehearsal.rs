//! Runs rehearsals: a separate node inside this process, with its own database in a temporary folder, and the simulated viewers of
//! the load test, who play a whole show and check what they receive.
//!
//! The node listens on loopback and its signing key is random, so nobody else can connect. It cannot touch the real shop, and it
//! is removed afterwards.

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
use crate::config::{LimitArgs, NamesShown, VideoArgs};
use crate::domain::rehearsal::RehearsalForm;
use crate::http::auth::TokenAuth;
use crate::http::{Origins, TrustedProxies};
use crate::node::{self, Node, NodeConfig};
use crate::protocol::RehearsalStatus;
use crate::store::Store;

const FOLDER_PREFIX: &str = "livesouk-rehearsal-";
/// Seconds over which the simulated viewers connect.
const RAMP_S: u64 = 3;
/// Chat messages per second, all viewers together, at the peak of the show.
const MESSAGES_PER_SECOND_MAX: f64 = 20.0;
/// Connections of the simulated viewers, and their requests.
const REHEARSAL_CONNECTIONS_MAX: usize = 300;

/// The function with which the app runs rehearsals.
pub fn rehearsal_runner() -> RehearsalRunner {
    Arc::new(|plan, run| Box::pin(run_rehearsal(plan, run)))
}

async fn run_rehearsal(plan: RehearsalPlan, run: Arc<Rehearsal>) -> Result<(), String> {
    let folder =
        RehearsalFolder::create().map_err(|error| format!("cannot create a folder for the rehearsal: {error}"))?;
    let key = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    // On separate threads: starting and serving a node are large futures that are not made to run inside a task.
    let runtime = Handle::current();
    let (node_plan, node_key) = (plan.clone(), key.clone());
    let starting = tokio::task::spawn_blocking(move || {
        let started = runtime.block_on(start_node(&node_plan, &folder, &node_key));
        started.map(|node| (node, folder))
    });
    let (node, folder) = starting.await.map_err(|error| format!("the rehearsal node failed: {error}"))??;
    let address = node.address().map_err(|error| error.to_string())?;
    let args = simulation_args(&plan, address, key)?;
    let stop = CancellationToken::new();
    let (runtime, shutdown) = (Handle::current(), stop.clone().cancelled_owned());
    let serving = tokio::task::spawn_blocking(move || runtime.block_on(node.serve(shutdown)));
    let simulated = run.clone();
    let played = tokio::task::spawn_blocking(move || {
        let reporter = progress_reporter(simulated.clone());
        loadtest::run_with_progress(&args, Some(reporter), simulated.stop.clone())
    });
    let played = played.await;
    stop.cancel();
    let _ = serving.await;
    drop(folder);
    let report = played
        .map_err(|error| format!("the simulated viewers failed: {error}"))?
        .map_err(|error| format!("{error:#}"))?;
    run.update(|view| apply_report(view, report));
    Ok(())
}

/// Starts a node that shares nothing with the real shop.
async fn start_node(plan: &RehearsalPlan, folder: &RehearsalFolder, key: &str) -> Result<Node, String> {
    let clock = Clock::system();
    let url = format!("sqlite:{}", folder.0.join("livesouk.db").display());
    let store = Store::open(&url, clock.clone(), 1).await.map_err(|error| error.to_string())?;
    let (shop, _) = node::find_or_create_shop(&store, &plan.shop.title, &plan.shop.currency)
        .await
        .map_err(|error| error.to_string())?;
    let limits = LimitArgs {
        chat_days: 0,
        address_days: 0,
        purchase_names: NamesShown::Full,
        mail_days: 0,
        chat_per_second: plan.chat.viewer_per_s,
        room_chat_per_second: plan.chat.room_per_s,
        connections_max: Some(REHEARSAL_CONNECTIONS_MAX),
        joins_per_second: Some(0.0),
        connections_per_address: 0,
        address_exempt: Vec::new(),
        request_limits: false,
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
        content_hosts: Default::default(),
        trusted_proxies: TrustedProxies::default(),
        demo_hosts: None,
        settings: Settings {
            chat: plan.chat,
            is_test_provider_enabled: true,
            are_requests_limited: false,
            ..Settings::default()
        },
        limits,
        video: VideoArgs::default(),
    };
    Node::start(plan).await.map_err(|error| error.to_string())
}

fn simulation_args(plan: &RehearsalPlan, address: SocketAddr, key: String) -> Result<LoadtestArgs, String> {
    let RehearsalForm { viewers, seconds } = plan.form;
    let budget = plan.chat.viewer_per_s;
    // Few viewers must not send more than their own rate limits allow, nor more than the rate limit of the room.
    let own = if budget > 0.0 { f64::from(viewers) * budget / 2.0 } else { MESSAGES_PER_SECOND_MAX };
    let room = if plan.chat.room_per_s > 0.0 { plan.chat.room_per_s / 2.0 } else { MESSAGES_PER_SECOND_MAX };
    Ok(LoadtestArgs {
        scenario: Scenario::Show,
        url: format!("http://{address}")
            .parse()
            .map_err(|_| "the address of the rehearsal node is invalid".to_owned())?,
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

/// Reports the progress that the host sees during a rehearsal.
fn progress_reporter(run: Arc<Rehearsal>) -> loadtest::simulation::ProgressCallback {
    Box::new(move |simulation| {
        let counters = &simulation.measurements.counters;
        let [_, p99] = simulation.measurements.recent(LatencyClass::Chat);
        run.update(|view| {
            view.elapsed_s = simulation.now() / 1_000_000;
            // The simulated host is not a viewer.
            view.connected = simulation.connected().min(u64::from(view.viewers));
            view.messages = counters.messages_acknowledged;
            view.orders_held = counters.units_held;
            if p99 > 0.0 {
                view.delivery_p99_ms = Some(p99);
            }
        });
    })
}

fn apply_report(view: &mut crate::protocol::RehearsalView, report: LoadtestReport) {
    view.connected = report.connected_max.min(u64::from(view.viewers));
    view.messages = report.counters.messages_acknowledged;
    view.orders_held = report.orders.held as u64;
    view.delivery_p99_ms = report.latency_ms.get("chat").map(|chat| chat.p99).or(view.delivery_p99_ms);
    view.status = if report.exit_code == 0 { RehearsalStatus::Passed } else { RehearsalStatus::Failed };
    view.why = (report.exit_code != 0).then_some(report.verdict);
    view.checks = report.checks;
}

/// A temporary folder, removed with its content when it is dropped. The next rehearsal removes folders of processes that died.
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
