//! The result of a run as JSON and as text. `html` renders it as a page.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Serialize;

use crate::measurements::{LatencySummary, RunCounters, SecondSample};
use crate::violations::ViolationLog;

#[derive(Debug, Serialize)]
pub struct LoadtestReport {
    pub scenario: &'static str,
    pub url: String,
    pub seed: u64,
    pub viewers: u32,
    pub rooms: u32,
    /// The target rate in messages per second.
    pub rate: f64,
    /// The length of the measured part.
    pub seconds: f64,
    pub exit_code: u8,
    pub verdict: String,
    /// The largest number of connections at one time, and the number at the end.
    pub connected_max: u64,
    pub connected_at_end: u64,
    pub counters: RunCounters,
    /// Events that connected or reconnected viewers did not receive: reported by the server, or found at the end.
    pub lost_events: u64,
    /// Acknowledged messages as a share of those that were due, from 0 to 1.
    pub rate_kept: f64,
    /// In the measured part.
    pub deliveries_per_s: f64,
    pub distinct_frames: u64,
    pub latency_ms: BTreeMap<&'static str, LatencySummary>,
    pub orders: PurchaseTotals,
    pub cpu: CpuUsage,
    pub violations: ViolationLog,
    /// What was checked and is correct, one sentence each. Empty when something was not.
    pub checks: Vec<String>,
    pub notes: Vec<String>,
    pub disconnect_reasons: BTreeMap<String, u64>,
    pub refusals: BTreeMap<String, u64>,
    pub errors: BTreeMap<String, u64>,
    pub offers: Vec<OfferReport>,
    pub timeline: Vec<SecondSample>,
}

#[derive(Default, Debug, Serialize)]
pub struct PurchaseTotals {
    pub sent: u64,
    pub held: usize,
    pub refused: BTreeMap<String, u64>,
    pub unknown: usize,
    pub paid: u64,
}

/// The cost of the load test itself.
#[derive(Default, Debug, Serialize)]
pub struct CpuUsage {
    pub user_s: f64,
    pub system_s: f64,
    pub user_us_per_frame: f64,
    pub system_us_per_frame: f64,
    /// Of one processor, from the first connection to the last frame.
    pub percent: f64,
    /// How late the simulation was with its own actions, p99 in ms. Every latency includes up to this much of our own
    /// delay.
    pub late_ms: f64,
}

#[derive(Debug, Serialize)]
pub struct OfferReport {
    pub id: String,
    pub quantity: i64,
    pub left: i64,
    /// Seconds since the start of the run.
    pub opened_s: Option<f64>,
    pub sold_out_s: Option<f64>,
    /// `[seconds since the start, units]`: the units left, as the room first received them.
    pub observed: Vec<[f64; 2]>,
    /// The same: the units left if every purchase had counted at the moment it was due.
    pub ideal: Vec<[f64; 2]>,
}

impl Display for LoadtestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunCounters { frames, bytes, deliveries, .. } = self.counters;
        writeln!(f, "{} at {}: {}", self.scenario, self.url, self.verdict)?;
        writeln!(
            f,
            "  viewers     {} in {} room(s); at most {} connected, {} at the end; {} disconnects, {} reconnects ({} recovered, {} resynced)",
            self.viewers,
            self.rooms,
            self.connected_max,
            self.connected_at_end,
            self.counters.disconnects,
            self.counters.reconnects,
            self.counters.recovered,
            self.counters.resynced
        )?;
        writeln!(
            f,
            "  deliveries  {deliveries} events to viewers ({:.0}/s) in {frames} frames ({} distinct), {:.1} MB; lost {}",
            self.deliveries_per_s,
            self.distinct_frames,
            bytes as f64 / 1e6,
            self.lost_events
        )?;
        if self.counters.messages_due > 0 {
            writeln!(
                f,
                "  messages    {} due, {} sent, {} acknowledged ({:.1} % of the rate), {} refused",
                self.counters.messages_due,
                self.counters.messages_sent,
                self.counters.messages_acknowledged,
                self.rate_kept * 100.0,
                self.counters.messages_refused
            )?;
        }
        if self.orders.sent > 0 {
            writeln!(
                f,
                "  purchases   {} sent, {} held, {} refused, {} unknown, {} paid",
                self.orders.sent,
                self.orders.held,
                self.orders.refused.values().sum::<u64>(),
                self.orders.unknown,
                self.orders.paid
            )?;
        }
        if !self.latency_ms.is_empty() {
            writeln!(f, "  latency ms           p50       p90       p99     p99.9       max     count")?;
        }
        for (class, latency) in &self.latency_ms {
            let LatencySummary { p50, p90, p99, p999, max, count, .. } = latency;
            writeln!(f, "    {class:<12} {p50:>9.1} {p90:>9.1} {p99:>9.1} {p999:>9.1} {max:>9.1} {count:>9}")?;
        }
        for (title, counts) in
            [("disconnects", &self.disconnect_reasons), ("refusals", &self.refusals), ("errors", &self.errors)]
        {
            if !counts.is_empty() {
                let list: Vec<String> = counts.iter().map(|(name, count)| format!("{name} × {count}")).collect();
                writeln!(f, "  {title:<11} {}", list.join(", "))?;
            }
        }
        let CpuUsage { user_s, user_us_per_frame, system_us_per_frame, percent, late_ms, .. } = self.cpu;
        writeln!(
            f,
            "  load test   {percent:.0} % of a processor, {user_s:.1} s user; per frame {user_us_per_frame:.2} µs user, {system_us_per_frame:.2} µs system; late by {late_ms:.1} ms (p99)"
        )?;
        for check in &self.checks {
            writeln!(f, "  checked     {check}")?;
        }
        for note in &self.notes {
            writeln!(f, "  note        {note}")?;
        }
        if self.violations.total > 0 {
            let kinds: Vec<String> =
                self.violations.by_kind.iter().map(|(kind, count)| format!("{kind:?} × {count}")).collect();
            writeln!(f, "  VIOLATIONS  {}: {}", self.violations.total, kinds.join(", "))?;
            if let Some(first) = self.violations.examples.first() {
                writeln!(f, "  first       {first}")?;
            }
        }
        Ok(())
    }
}
