//! The plan of the faults: which, when, to which node and for how long. A pure function of the seed and the length.
//!
//! Two lanes, so that at most one node and the database are in trouble at a time; storms with quiet between them, in
//! which selling has to go on; and in each lane every kind once before any kind twice.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

pub const NODES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// kill -9, and started again.
    KillNode,
    /// SIGSTOP for seconds.
    FreezeNode,
    /// The same while a batch of it sits on an offer's row.
    FreezeInBatch,
    /// Between a node and Postgres: requests arrive and are done, answers are lost.
    LoseReplies,
    LoseRequests,
    ResetLinks,
    StallLinks,
    /// Answers come late on every other link: old news after new.
    DelayLinks,
    /// The backends of a node's connections end, and it never hears.
    HalfOpen,
    /// `pg_terminate_backend` of those that sell.
    KillBackends,
    /// Immediate mode: no checkpoint, recovery at the start.
    CrashPostgres,
    RestartPostgres,
    /// Somebody at a console sits on the row of an offer.
    LockOffer,
    /// Somebody updates orders in an odd order, and the offer after them.
    DeadlockingUpdate,
}

use Fault::*;

impl Fault {
    /// Delay twice: it is the mildest, and the one that turns the order of news.
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

    /// From, to: how long it lasts, in milliseconds. What has to start again lasts as long as that takes on top.
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
    /// What starts again needs time for it, and people need some to buy before the next fault.
    fn recovery_ms(self) -> u64 {
        match self {
            CrashPostgres => 3_000,
            RestartPostgres | KillNode => 1_000,
            _ => 0,
        }
    }
}

/// One fault of the plan; times count from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedFault {
    pub at: Duration,
    pub fault: Fault,
    /// Meant only for faults of nodes.
    pub node: usize,
    pub length: Duration,
}

/// Both lanes, each in the order of time.
pub type FaultLanes = [Vec<PlannedFault>; 2];

const CYCLE_MS: u64 = 20_000;
/// So much of every cycle is storm; the rest is quiet.
const STORM_MS: u64 = 14_500;
const CALM_BEFORE_MS: u64 = 1_500;
const GAP_MS: (u64, u64) = (300, 900);

pub fn plan(seed: u64, length: Duration) -> FaultLanes {
    let mut rng = StdRng::seed_from_u64(seed);
    [&Fault::NODE_FAULTS[..], &Fault::DATABASE_FAULTS].map(|kinds| lane(&mut rng, kinds, length.as_millis() as u64))
}

fn lane(rng: &mut StdRng, kinds: &[Fault], length_ms: u64) -> Vec<PlannedFault> {
    let mut planned = Vec::new();
    let mut bag = Vec::new();
    let mut at = CALM_BEFORE_MS + rng.random_range(0..1_500);
    loop {
        if bag.is_empty() {
            bag.extend_from_slice(kinds);
            bag.shuffle(rng);
        }
        let Some(fault) = bag.pop() else { return planned };
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
        at += lasts + rng.random_range(GAP_MS.0..GAP_MS.1) + fault.recovery_ms();
    }
}

/// The phases of a run: from, to, whether faults happen in it.
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
