//! The plan of the faults: which fault, when, at which node and for how long. A pure function of the seed and the
//! length.
//!
//! There are two lanes, so that at most one node and the database have a fault at the same time. Storms alternate with
//! quiet phases, in which selling must continue. In each lane, every kind comes once before any kind comes twice.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

pub const NODES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// kill -9 and a restart.
    KillNode,
    /// SIGSTOP for seconds.
    FreezeNode,
    /// The same while one of its batches holds the lock on an offer's row.
    FreezeInBatch,
    /// Between a node and PostgreSQL: requests arrive and are executed, but replies are lost.
    LoseReplies,
    LoseRequests,
    ResetLinks,
    StallLinks,
    /// Replies come late on every other connection, so older data arrives after newer data.
    DelayLinks,
    /// The backends of a node's connections end, and the node is not informed.
    HalfOpen,
    /// `pg_terminate_backend` for connections that sell.
    KillBackends,
    /// Immediate mode: no checkpoint, so PostgreSQL recovers at its start.
    CrashPostgres,
    RestartPostgres,
    /// An administrator holds a lock on the row of an offer.
    LockOffer,
    /// An administrator updates orders in an unusual order, and the offer after them.
    DeadlockingUpdate,
}

use Fault::*;

impl Fault {
    /// Delay comes twice: it is the mildest fault, and the one that changes the order of data.
    pub const NODE_FAULTS: [Fault; 10] = [
        KillNode,
        FreezeNode,
        FreezeInBatch,
        LoseReplies,
        LoseRequests,
        ResetLinks,
        StallLinks,
        HalfOpen,
        DelayLinks,
        DelayLinks,
    ];
    pub const DATABASE_FAULTS: [Fault; 5] =
        [KillBackends, CrashPostgres, RestartPostgres, LockOffer, DeadlockingUpdate];

    /// The shortest and the longest duration in milliseconds. A restart takes additional time.
    fn duration_ms(self) -> (u64, u64) {
        match self {
            KillNode => (0, 1_000),
            FreezeNode => (1_000, 6_000),
            FreezeInBatch => (1_000, 3_000),
            LoseReplies | LoseRequests => (200, 1_200),
            ResetLinks => (0, 800),
            StallLinks => (500, 3_500),
            DelayLinks => (3_500, 4_500),
            HalfOpen => (100, 300),
            KillBackends => (100, 1_000),
            CrashPostgres | RestartPostgres => (0, 500),
            LockOffer => (500, 4_000),
            DeadlockingUpdate => (300, 900),
        }
    }
}

impl Fault {
    /// The time that a restart needs, and that buyers need to buy before the next fault.
    fn recovery_ms(self) -> u64 {
        match self {
            CrashPostgres => 3_000,
            RestartPostgres | KillNode => 1_000,
            _ => 0,
        }
    }
}

/// One fault of the plan. Times count from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedFault {
    pub at: Duration,
    pub fault: Fault,
    /// Used only by faults of nodes.
    pub node: usize,
    pub length: Duration,
}

/// Both lanes, each in the order of time.
pub type FaultLanes = [Vec<PlannedFault>; 2];

const CYCLE_MS: u64 = 20_000;
/// This part of every cycle is the storm; the rest is quiet.
const STORM_MS: u64 = 14_500;
const CALM_BEFORE_MS: u64 = 1_500;
const CALM_BETWEEN_MS: (u64, u64) = (300, 900);

pub fn plan(seed: u64, length: Duration) -> FaultLanes {
    let mut rng = StdRng::seed_from_u64(seed);
    [&Fault::NODE_FAULTS[..], &Fault::DATABASE_FAULTS].map(|kinds| lane(&mut rng, kinds, length.as_millis() as u64))
}

fn lane(rng: &mut StdRng, kinds: &[Fault], length_ms: u64) -> Vec<PlannedFault> {
    let mut planned = Vec::new();
    let mut remaining = Vec::new();
    let mut at = CALM_BEFORE_MS + rng.random_range(0..1_500);
    loop {
        if remaining.is_empty() {
            remaining.extend_from_slice(kinds);
            remaining.shuffle(rng);
        }
        let Some(fault) = remaining.pop() else { return planned };
        let (from, to) = fault.duration_ms();
        let lasts = rng.random_range(from..=to);
        if at % CYCLE_MS + lasts > STORM_MS {
            at = at.next_multiple_of(CYCLE_MS) + rng.random_range(0..800);
        }
        if at + lasts > length_ms {
            return planned;
        }
        let (node, length) = (rng.random_range(0..NODES), Duration::from_millis(lasts));
        planned.push(PlannedFault { at: Duration::from_millis(at), fault, node, length });
        at += lasts + rng.random_range(CALM_BETWEEN_MS.0..CALM_BETWEEN_MS.1) + fault.recovery_ms();
    }
}

/// The phases of a run: start, end, and whether faults happen in it.
pub fn phases(length: Duration) -> Vec<(Duration, Duration, bool)> {
    let mut phases = Vec::new();
    let mut at = Duration::ZERO;
    while at < length {
        for (lasts, storm) in [(STORM_MS, true), (CYCLE_MS - STORM_MS, false)] {
            let end = (at + Duration::from_millis(lasts)).min(length);
            if at < end {
                phases.push((at, end, storm));
            }
            at = end;
        }
    }
    phases
}
