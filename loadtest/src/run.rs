//! A run from the command line: everything from the arguments to the report.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::{Args, Scenario};
use crate::crowd::{Crowd, Target, Watcher};
use crate::measure::processor_time;
use crate::progress;
use crate::report::{OfferReport, Orders, Processor, Report};
use crate::scenario::Stage;
use crate::shop::Shop;

/// Files a run needs besides one for each viewer.
const OTHER_FILES: u64 = 64;
/// Quiet for so long, and everything has arrived; and how long we wait for that.
const QUIET: Duration = Duration::from_millis(700);
const SETTLE_MOST: Duration = Duration::from_secs(20);
/// Beyond these a crowd measures itself.
const BUSY_PERCENT: f64 = 70.0;
const LATE_MS: f64 = 20.0;

/// `Err`: there is nothing to run against, or not like this. What is found out is in the report.
pub fn run(args: &Args) -> Result<Report> {
    let watcher = (!args.quiet).then(|| progress::watcher(args.scenario.name()));
    let told = run_watched(args, watcher, Arc::default());
    if !args.quiet {
        progress::end();
    }
    told
}

/// The same inside somebody's program: `watcher` sees how it goes, `stop` ends it early, and then the run is an error.
pub fn run_watched(args: &Args, watcher: Option<Watcher>, stop: Arc<AtomicBool>) -> Result<Report> {
    raise_file_limit(u64::from(args.viewers) + u64::from(args.rooms) + OTHER_FILES)?;
    let address = resolve(args)?;
    let shop = Shop::open(&args.url, args.auth_key.as_deref())?;
    if !shop.signs() && (args.stream.is_none() || args.rate() > 0.0 || args.scenario == Scenario::Rush) {
        bail!(
            "this server is no demo, so the crowd needs its key to make shows, to talk and to buy: give --auth-key \
             (LIVESOUK_AUTH_KEY); without it, `watch --stream ID --rate 0` is possible"
        );
    }
    let host = args.url.host_str().unwrap_or_default();
    let host = args.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let target = Target { address, host, sources: args.sources(address.ip()), seed: args.seed };
    let mut crowd = Crowd::new(target)?;
    if args.deflate {
        crowd.offer_deflate();
    }
    crowd.stop_when(stop);
    if let Some(watcher) = watcher {
        crowd.watch(watcher);
    }
    let before = processor_time();
    let mut stage = Stage::set(args, crowd, shop)?;
    let played = stage.play();
    let measured_until = stage.crowd.now();
    stage.crowd.settle(QUIET, SETTLE_MOST);
    let after = processor_time();
    if stage.crowd.is_stopped() {
        stage.crowd.disperse();
        stage.clear();
        bail!("the run was stopped before its end");
    }
    played?;
    stage.crowd.check_the_end();
    // Acknowledged orders that nobody can find are no proof of anything, but no good result either.
    let mut unchecked = None;
    let mut checks = vec![format!(
        "{} frames: no event missing, twice or out of order, no version going back, recovered means exactly the missed",
        stage.crowd.measure.counters.frames
    )];
    if stage.crowd.measure.counters.messages_acknowledged > 0 {
        checks.push(format!(
            "{} acknowledged messages were told once to everybody who was there",
            stage.crowd.measure.counters.messages_acknowledged
        ));
    }
    if stage.crowd.measure.counters.presses > 0 {
        match stage.check_books() {
            Ok(check) => checks.push(check),
            Err(why) => unchecked = Some(format!("the orders could not be looked up: {why:#}")),
        }
    }
    let connected_at_end = stage.crowd.connected();
    stage.crowd.disperse();
    stage.clear();
    let busy = (after.0 - before.0, after.1 - before.1);
    if stage.crowd.measure.counters.upgrades == 0 {
        unchecked = Some("nobody could connect".to_owned());
    }
    Ok(report(stage, measured_until, busy, connected_at_end, checks, unchecked))
}

fn report(
    stage: Stage,
    until: u64,
    busy: (f64, f64),
    connected_at_end: u64,
    checks: Vec<String>,
    unchecked: Option<String>,
) -> Report {
    let Stage { args, crowd, began, mut notes, offers, .. } = stage;
    let counters = crowd.measure.counters;
    let seconds = until.saturating_sub(began) as f64 / 1e6;
    let latency_ms = crowd.measure.latencies();
    // The last and the first second are only partly of the measured part.
    let whole = crowd.measure.seconds.iter().filter(|second| began <= second.t * 1_000_000);
    let whole: Vec<_> = whole.filter(|second| (second.t + 1) * 1_000_000 <= until).collect();
    let sum: u64 = whole.iter().map(|second| second.counters.deliveries).sum();
    let budgeted = if args.scenario == Scenario::Rush { ["buy", "chat", "join"] } else { ["chat", "buy", "join"] };
    let budgeted = budgeted.iter().find_map(|class| Some((class, latency_ms.get(*class)?.p99)));
    let missed_budget = args.budget_p99_ms.zip(budgeted).filter(|(budget, (_, p99))| budget < p99);
    let (exit_code, verdict) = if crowd.breaches.total > 0 {
        (1, format!("{} breaches of truth", crowd.breaches.total))
    } else if let Some(why) = unchecked {
        (1, why)
    } else if let Some((budget, (class, p99))) = missed_budget {
        (1, format!("the truth held, but p99 of {class} is {p99:.1} ms, the budget {budget:.1} ms"))
    } else {
        (0, "well".to_owned())
    };
    if u64::from(args.viewers) > counters.upgrades {
        notes.push(format!("only {} of {} viewers could connect", counters.upgrades, args.viewers));
    }
    let (held, refused, unknown) = crowd.asks.outcomes();
    let offers = offers.into_iter().filter_map(|(id, quantity)| {
        let shelf = crowd.rooms.iter().find_map(|room| room.shelf(&id))?;
        let mut presses: Vec<f64> =
            crowd.asks.purchases.iter().filter(|one| one.offer == id).map(|one| one.intended as f64 / 1e6).collect();
        presses.sort_by(f64::total_cmp);
        let steps = presses.iter().take(quantity as usize).enumerate();
        let every = (quantity as usize / 100).max(1);
        let ideal = steps
            .filter(|(place, _)| (place + 1) % every == 0)
            .map(|(place, at)| [*at, (quantity - place as i64 - 1) as f64]);
        Some(OfferReport {
            seen: shelf.seen.iter().map(|(at, left)| [*at as f64 / 1e6, *left as f64]).collect(),
            ideal: ideal.collect(),
            quantity,
            left: shelf.left,
            opened_s: presses.first().copied(),
            empty_s: shelf.empty_at.map(|at| at as f64 / 1e6),
            id,
        })
    });
    let frames = counters.frames.max(1) as f64;
    let percent = (busy.0 + busy.1) * 100.0 / (until.max(1) as f64 / 1e6);
    let late_ms = crowd.measure.lateness_ms();
    if percent > BUSY_PERCENT || late_ms > LATE_MS {
        notes.push(format!(
            "the crowd itself was late by {late_ms:.0} ms and used {percent:.0} % of a processor: give it a processor of its own, \
             take fewer viewers, or run several crowds"
        ));
    }
    Report {
        scenario: args.scenario.name(),
        url: args.url.to_string(),
        seed: args.seed,
        viewers: args.viewers,
        rooms: args.rooms,
        rate: args.rate(),
        seconds,
        exit_code,
        verdict,
        connected_most: crowd.measure.seconds.iter().map(|second| second.connected).max().unwrap_or(0),
        connected_at_end,
        lost: counters.missed,
        rate_kept: counters.messages_acknowledged as f64 / counters.messages_due.max(1) as f64,
        deliveries_per_s: sum as f64 / whole.len().max(1) as f64,
        frames_distinct: crowd.rooms.iter().map(|room| room.distinct).sum(),
        orders: Orders { pressed: counters.presses, held, refused, unknown, paid: counters.paid },
        processor: Processor {
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
        checks: if crowd.breaches.total > 0 { Vec::new() } else { checks },
        breaches: crowd.breaches,
        notes,
        closes: crowd.measure.closes,
        refusals: crowd.measure.refusals,
        errors: crowd.measure.errors,
        timeline: crowd.measure.seconds,
    }
}

fn resolve(args: &Args) -> Result<SocketAddr> {
    let host = args.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = args.url.port_or_known_default().unwrap_or(80);
    let mut addresses = (host, port).to_socket_addrs().with_context(|| format!("--url: {host} cannot be found"))?;
    addresses.next().with_context(|| format!("--url: {host} has no address"))
}

/// One open file for each viewer; the limit is raised as far as it may be.
fn raise_file_limit(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| needed <= current) {
        return Ok(());
    }
    let raised = limit.maximum.is_none_or(|maximum| needed <= maximum)
        && setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum }).is_ok();
    if !raised {
        bail!(
            "this needs {needed} open files and the limit is {}: raise it (ulimit -n {needed}) or take fewer --viewers",
            limit.maximum.or(limit.current).unwrap_or(0)
        );
    }
    Ok(())
}
