//! A run from the command line: everything from the arguments to the report.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::{LoadtestArgs, Scenario};
use crate::measurements::cpu_time;
use crate::progress;
use crate::report::{CpuUsage, LoadtestReport, OfferReport, PurchaseTotals};
use crate::scenario::ScenarioRun;
use crate::shop_client::ShopClient;
use crate::simulation::{ProgressCallback, Simulation, TargetServer};

/// Open files that a run needs besides one for each viewer.
const OTHER_FILES: u64 = 64;
/// When nothing has come for this long, everything has arrived. The second value is the longest wait for that.
const QUIET_PERIOD: Duration = Duration::from_millis(700);
const SETTLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Above these values the load test mainly measures itself.
const CPU_WARN_PERCENT: f64 = 70.0;
const LATENESS_WARN_MS: f64 = 20.0;

/// Runs a load test. `Err` means that there is no server or that the arguments do not allow the run; what the run finds
/// is in the report.
pub fn run(args: &LoadtestArgs) -> Result<LoadtestReport> {
    let watcher = (!args.quiet).then(|| progress::progress_printer(args.scenario.name()));
    let report = run_with_progress(args, watcher, Arc::default());
    if !args.quiet {
        progress::finish_line();
    }
    report
}

/// The same inside another program: `watcher` receives the progress, and `stop` ends the run early with an error.
pub fn run_with_progress(
    args: &LoadtestArgs,
    watcher: Option<ProgressCallback>,
    stop: Arc<AtomicBool>,
) -> Result<LoadtestReport> {
    raise_file_limit(u64::from(args.viewers) + u64::from(args.rooms) + OTHER_FILES)?;
    let address = resolve(args)?;
    let shop = ShopClient::open(&args.url, args.auth_key.as_deref())?;
    if !shop.can_sign_tokens() && (args.stream.is_none() || args.rate() > 0.0 || args.scenario == Scenario::Rush) {
        bail!(
            "this server is not a demo, so the load test needs its key to create streams, to chat and to buy: set --auth-key \
             (LIVESOUK_AUTH_KEY). Without it, only `watch --stream ID --rate 0` is possible"
        );
    }
    let host = args.url.host_str().unwrap_or_default();
    let host = args.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let target = TargetServer { address, host, sources: args.source_addresses(address.ip()), seed: args.seed };
    let mut simulation = Simulation::new(target)?;
    if args.deflate {
        simulation.offer_deflate();
    }
    simulation.stop_when(stop);
    if let Some(watcher) = watcher {
        simulation.set_progress_callback(watcher);
    }
    let before = cpu_time();
    let mut run = ScenarioRun::prepare(args, simulation, shop)?;
    let result = run.play();
    let measured_until = run.simulation.now();
    run.simulation.settle(QUIET_PERIOD, SETTLE_TIMEOUT);
    let after = cpu_time();
    if run.simulation.is_stopped() {
        run.simulation.disconnect_all();
        run.end_streams();
        bail!("the run was stopped before its end");
    }
    result?;
    run.simulation.check_final_state();
    // Orders that cannot be looked up prove no violation, but the result is not good either.
    let mut unchecked = None;
    let mut checks = vec![format!(
        "{} frames: no event is missing, duplicated or out of order, no version goes back, and every recovery has exactly the missed events",
        run.simulation.measurements.counters.frames
    )];
    if run.simulation.measurements.counters.messages_acknowledged > 0 {
        checks.push(format!(
            "{} acknowledged messages were delivered once to every connected viewer",
            run.simulation.measurements.counters.messages_acknowledged
        ));
    }
    if run.simulation.measurements.counters.purchases > 0 {
        match run.check_orders() {
            Ok(check) => checks.push(check),
            Err(why) => unchecked = Some(format!("the orders could not be read: {why:#}")),
        }
    }
    let connected_at_end = run.simulation.connected();
    run.simulation.disconnect_all();
    run.end_streams();
    let busy = (after.0 - before.0, after.1 - before.1);
    if run.simulation.measurements.counters.upgrades == 0 {
        unchecked = Some("no viewer could connect".to_owned());
    }
    Ok(build_report(run, measured_until, busy, connected_at_end, checks, unchecked))
}

fn build_report(
    run: ScenarioRun,
    until: u64,
    busy: (f64, f64),
    connected_at_end: u64,
    checks: Vec<String>,
    unchecked: Option<String>,
) -> LoadtestReport {
    let ScenarioRun { args, simulation, measured_from: started, mut notes, offers, .. } = run;
    let counters = simulation.measurements.counters;
    let seconds = until.saturating_sub(started) as f64 / 1e6;
    let latency_ms = simulation.measurements.latencies();
    // The first and the last second are only partly in the measured part.
    let whole = simulation.measurements.seconds.iter().filter(|second| started <= second.t * 1_000_000);
    let whole: Vec<_> = whole.filter(|second| (second.t + 1) * 1_000_000 <= until).collect();
    let sum: u64 = whole.iter().map(|second| second.counters.deliveries).sum();
    let budgeted = if args.scenario == Scenario::Rush { ["buy", "chat", "join"] } else { ["chat", "buy", "join"] };
    let budgeted = budgeted.iter().find_map(|class| Some((class, latency_ms.get(*class)?.p99)));
    let missed_budget = args.budget_p99_ms.zip(budgeted).filter(|(budget, (_, p99))| budget < p99);
    let (exit_code, verdict) = if simulation.violations.total > 0 {
        (1, format!("{} violations", simulation.violations.total))
    } else if let Some(why) = unchecked {
        (1, why)
    } else if let Some((budget, (class, p99))) = missed_budget {
        (1, format!("all checks passed, but p99 of {class} is {p99:.1} ms, and the budget is {budget:.1} ms"))
    } else {
        (0, "all checks passed".to_owned())
    };
    if u64::from(args.viewers) > counters.upgrades {
        notes.push(format!("only {} of {} viewers could connect", counters.upgrades, args.viewers));
    }
    let (held, refused, unknown) = simulation.requests.purchase_outcomes();
    let offers = offers.into_iter().filter_map(|(id, quantity)| {
        let offer = simulation.rooms.iter().find_map(|room| room.offer(&id))?;
        let mut purchases: Vec<f64> = simulation
            .requests
            .purchases
            .iter()
            .filter(|one| one.offer == id)
            .map(|one| one.intended as f64 / 1e6)
            .collect();
        purchases.sort_by(f64::total_cmp);
        let steps = purchases.iter().take(quantity as usize).enumerate();
        let every = (quantity as usize / 100).max(1);
        let ideal = steps
            .filter(|(place, _)| (place + 1) % every == 0)
            .map(|(place, at)| [*at, (quantity - place as i64 - 1) as f64]);
        Some(OfferReport {
            observed: offer.counts.iter().map(|(at, left)| [*at as f64 / 1e6, *left as f64]).collect(),
            ideal: ideal.collect(),
            quantity,
            left: offer.left,
            opened_s: purchases.first().copied(),
            sold_out_s: offer.sold_out_at.map(|at| at as f64 / 1e6),
            id,
        })
    });
    let frames = counters.frames.max(1) as f64;
    let percent = (busy.0 + busy.1) * 100.0 / (until.max(1) as f64 / 1e6);
    let late_ms = simulation.measurements.lateness_p99_ms();
    if percent > CPU_WARN_PERCENT || late_ms > LATENESS_WARN_MS {
        notes.push(format!(
            "the load test itself was late by {late_ms:.0} ms and used {percent:.0} % of a processor: give it a processor of its own, \
             use fewer viewers, or run several load tests"
        ));
    }
    LoadtestReport {
        scenario: args.scenario.name(),
        url: args.url.to_string(),
        seed: args.seed,
        viewers: args.viewers,
        rooms: args.rooms,
        rate: args.rate(),
        seconds,
        exit_code,
        verdict,
        connected_max: simulation.measurements.seconds.iter().map(|second| second.connected).max().unwrap_or(0),
        connected_at_end,
        lost_events: counters.missed,
        rate_kept: counters.messages_acknowledged as f64 / counters.messages_due.max(1) as f64,
        deliveries_per_s: sum as f64 / whole.len().max(1) as f64,
        distinct_frames: simulation.rooms.iter().map(|room| room.distinct_frames).sum(),
        orders: PurchaseTotals { sent: counters.purchases, held, refused, unknown, paid: counters.paid },
        cpu: CpuUsage {
            user_s: busy.0,
            system_s: busy.1,
            user_us_per_frame: busy.0 * 1e6 / frames,
            system_us_per_frame: busy.1 * 1e6 / frames,
            percent,
            late_ms,
        },
        offers: offers.collect(),
        counters,
        latency_ms,
        checks: if simulation.violations.total > 0 { Vec::new() } else { checks },
        violations: simulation.violations,
        notes,
        disconnect_reasons: simulation.measurements.disconnect_reasons,
        refusals: simulation.measurements.refusals,
        errors: simulation.measurements.errors,
        timeline: simulation.measurements.seconds,
    }
}

fn resolve(args: &LoadtestArgs) -> Result<SocketAddr> {
    let host = args.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = args.url.port_or_known_default().unwrap_or(80);
    let mut addresses = (host, port).to_socket_addrs().with_context(|| format!("--url: {host} cannot be found"))?;
    addresses.next().with_context(|| format!("--url: {host} has no address"))
}

/// One open file for each viewer. The limit is raised as far as the system allows.
fn raise_file_limit(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| needed <= current) {
        return Ok(());
    }
    let raised = limit.maximum.is_none_or(|maximum| needed <= maximum)
        && setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum }).is_ok();
    if !raised {
        bail!(
            "this needs {needed} open files and the limit is {}: raise it (ulimit -n {needed}) or use fewer --viewers",
            limit.maximum.or(limit.current).unwrap_or(0)
        );
    }
    Ok(())
}
