//! The progress that a person sees during a run: one line that is rewritten on a terminal, or a line every five seconds
//! elsewhere.

use std::io::{IsTerminal, Write};

use crate::measurements::{LatencyClass, RunCounters};
use crate::simulation::{ProgressCallback, Simulation};

/// Time between two lines where they are not rewritten.
const LINE_INTERVAL_US: u64 = 5_000_000;

/// Writes to stderr, so that stdout has only the result.
pub fn progress_printer(scenario: &'static str) -> ProgressCallback {
    let terminal = std::io::stderr().is_terminal();
    let (mut last, mut before, mut at) = (0, RunCounters::default(), 0);
    Box::new(move |simulation: &Simulation| {
        let now = simulation.now();
        if !terminal && now < last + LINE_INTERVAL_US {
            return;
        }
        // Rates are taken over at least one second; otherwise they would jump.
        if at + 1_000_000 <= now || !terminal {
            let line = status_line(scenario, simulation, &before, (now - at) as f64 / 1e6);
            let (start, end) = if terminal { ("\r\x1b[K", "") } else { ("", "\n") };
            let _ = write!(std::io::stderr(), "{start}{line}{end}");
            let _ = std::io::stderr().flush();
            (before, at, last) = (simulation.measurements.counters, now, now);
        }
    })
}

/// Ends the line that was rewritten.
pub fn finish_line() {
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr());
    }
}

fn status_line(scenario: &str, simulation: &Simulation, before: &RunCounters, seconds: f64) -> String {
    let counters = &simulation.measurements.counters;
    let rate = |now: u64, before: u64| (now - before) as f64 / seconds;
    let [p50, p99] = simulation.measurements.recent(LatencyClass::Chat);
    let mut line = format!(
        "{scenario} {:>4.0} s  {} connected  {:.0} msg/s  {:.0} deliveries/s",
        simulation.now() as f64 / 1e6,
        simulation.connected(),
        rate(counters.messages_acknowledged, before.messages_acknowledged),
        rate(counters.deliveries, before.deliveries),
    );
    if counters.messages_sent > 0 {
        line += &format!("  p50 {p50:.0} p99 {p99:.0} ms");
    }
    if counters.purchases > 0 {
        line += &format!("  sold {} refused {}", counters.units_held, counters.purchases_refused);
    }
    if counters.errors > 0 {
        line += &format!("  errors {}", counters.errors);
    }
    if simulation.violations.total > 0 {
        line += &format!("  VIOLATIONS {}", simulation.violations.total);
    }
    line
}
