//! What a person sees while the crowd runs: one line that is rewritten on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal, Write};

use crate::crowd::{Crowd, Watcher};
use crate::measure::{Class, Counters};

/// Between two lines where nobody rewrites them.
const LINE_EVERY: u64 = 5_000_000;

/// Writes to stderr, so that stdout has the result alone.
pub fn watcher(scenario: &'static str) -> Watcher {
    let terminal = std::io::stderr().is_terminal();
    let (mut last, mut before, mut at) = (0, Counters::default(), 0);
    Box::new(move |crowd: &Crowd| {
        let now = crowd.now();
        if !terminal && now < last + LINE_EVERY {
            return;
        }
        // Rates are over at least a second, or they would jump.
        if at + 1_000_000 <= now || !terminal {
            let line = line(scenario, crowd, &before, (now - at) as f64 / 1e6);
            let (start, end) = if terminal { ("\r\x1b[K", "") } else { ("", "\n") };
            let _ = write!(std::io::stderr(), "{start}{line}{end}");
            let _ = std::io::stderr().flush();
            (before, at, last) = (crowd.measure.counters, now, now);
        }
    })
}

/// Ends the line that was rewritten.
pub fn end() {
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr());
    }
}

fn line(scenario: &str, crowd: &Crowd, before: &Counters, seconds: f64) -> String {
    let counters = &crowd.measure.counters;
    let rate = |now: u64, before: u64| (now - before) as f64 / seconds;
    let [p50, p99] = crowd.measure.recent(Class::Chat);
    let mut line = format!(
        "{scenario} {:>4.0} s  {} connected  {:.0} msg/s  {:.0} deliveries/s",
        crowd.now() as f64 / 1e6,
        crowd.connected(),
        rate(counters.messages_acknowledged, before.messages_acknowledged),
        rate(counters.deliveries, before.deliveries),
    );
    if counters.messages_sent > 0 {
        line += &format!("  p50 {p50:.0} p99 {p99:.0} ms");
    }
    if counters.presses > 0 {
        line += &format!("  sold {} refused {}", counters.held, counters.refused);
    }
    if counters.errors > 0 {
        line += &format!("  errors {}", counters.errors);
    }
    if crowd.breaches.total > 0 {
        line += &format!("  BREACHES {}", crowd.breaches.total);
    }
    line
}
