//! What befalls the scene `nodes`, and when: a pure function of the seed and the length.
//!
//! Cycle after cycle. Each begins with the death of a node and then of the bus while nothing else is broken, so that what is
//! told of them can be judged by itself; then the bus and the rest break side by side, each in a lane of its own, every
//! kind once.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::fault::{Fault, NODES};
use super::journal::Millis;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClusterFault {
    /// SIGSTOP of Redis for about two seconds: it must cost no event.
    RedisShortPause,
    /// For ten: it is found dead.
    RedisPause,
    /// For thirty.
    RedisLongPause,
    /// kill -9 of Redis; it comes back empty.
    RedisCrash,
    /// FLUSHALL.
    RedisFlush,
    /// `CLIENT KILL TYPE pubsub`.
    SubscribersKilled,
    /// Of one node: Redis is gone from its links and nobody tells; new ones move nothing.
    LinkHalfOpen,
    /// Of one node: nothing moves on its links to Redis.
    LinkStall,
    /// Of one node: Redis answers in a trickle.
    LinkSlow,
    /// SIGTERM of one node after the other, each started again before the next.
    RollingRestart,
    /// Postgres is lost for ever, and its synchronous standby takes over. Once in a run.
    Failover,
    /// Of the scene `selling`.
    Selling(Fault),
}

use ClusterFault::*;

impl ClusterFault {
    pub const BROKER_FAULTS: [ClusterFault; 8] =
        [RedisShortPause, RedisPause, RedisCrash, RedisFlush, SubscribersKilled, LinkHalfOpen, LinkStall, LinkSlow];
    /// Besides the one node that dies at the beginning of a cycle.
    pub const OTHER_FAULTS: [ClusterFault; 7] = [
        RollingRestart,
        Failover,
        Selling(Fault::RestartPostgres),
        Selling(Fault::CrashPostgres),
        Selling(Fault::StallLinks),
        Selling(Fault::DelayLinks),
        Selling(Fault::HalfOpen),
    ];

    /// Touches one node's way to the bus and no other's.
    pub fn is_single_node(self) -> bool {
        matches!(self, LinkHalfOpen | LinkStall | LinkSlow)
    }

    /// The bus is dead for whom it touches, for longer than it may take to find out.
    pub fn breaks_broker_link(self) -> bool {
        matches!(self, RedisPause | RedisLongPause | RedisCrash | LinkHalfOpen | LinkStall)
    }

    /// From, to: how long it lasts, in milliseconds.
    fn duration_ms(self) -> (u64, u64) {
        match self {
            RedisShortPause => (1_700, 2_100),
            RedisPause => (10_000, 10_000),
            RedisLongPause => (30_000, 30_000),
            RedisCrash => (4_500, 6_000),
            LinkHalfOpen | LinkStall => (5_000, 6_000),
            LinkSlow => (2_500, 3_500),
            RedisFlush | SubscribersKilled | RollingRestart => (0, 0),
            Failover => (0, 1_000),
            Selling(Fault::KillNode) => (500, 2_000),
            Selling(Fault::StallLinks) => (1_000, 3_000),
            Selling(Fault::DelayLinks) => (2_000, 3_000),
            Selling(_) => (0, 500),
        }
    }

    /// What mends by itself afterwards, so that the next mishap meets a sound shop more often than not.
    fn recovery_ms(self) -> u64 {
        match self {
            RollingRestart => 13_000,
            Failover | Selling(Fault::RestartPostgres | Fault::CrashPostgres) => 3_500,
            RedisShortPause | LinkSlow => 1_000,
            _ => 2_000,
        }
    }
}

/// One mishap; times count from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedClusterFault {
    pub at: Duration,
    pub fault: ClusterFault,
    /// Meant only for those of one node.
    pub node: usize,
    pub length: Duration,
}

/// A mishap of the bus, and when it was one.
#[derive(Debug, Clone)]
pub struct BrokerOutage {
    pub fault: ClusterFault,
    /// The only node that felt it.
    pub node: Option<usize>,
    pub from: Millis,
    pub to: Millis,
}

impl BrokerOutage {
    pub fn touches(&self, node: usize) -> bool {
        self.node.is_none_or(|only| only == node)
    }
}

/// The lane of the bus and that of the rest, each in the order of time.
pub type ClusterFaultLanes = [Vec<PlannedClusterFault>; 2];

const CALM_BEFORE_MS: u64 = 3_000;
/// As long as the count of viewers may be wrong after a node died, and a bit.
const AFTER_NODE_DEATH_MS: u64 = 13_000;
/// As long as nodes may take to find out that the bus is dead, and a bit.
const AFTER_REDIS_PAUSE_MS: u64 = 5_000;
const GAP_MS: (u64, u64) = (300, 1_200);
/// Runs of at least this length have room for half a minute without Redis.
const LONG_RUN: Duration = Duration::from_secs(300);

pub fn plan(seed: u64, length: Duration) -> ClusterFaultLanes {
    let mut rng = StdRng::seed_from_u64(seed);
    let (length_ms, is_long) = (length.as_millis() as u64, LONG_RUN <= length);
    let mut plan = ClusterFaultLanes::default();
    let mut begin = CALM_BEFORE_MS;
    for cycle in 0.. {
        let death = lane(&mut rng, &[Selling(Fault::KillNode)], begin, length_ms);
        if death.is_empty() {
            break;
        }
        plan[1].extend(death);
        let mut bus = ClusterFault::BROKER_FAULTS.to_vec();
        bus.extend(is_long.then_some(RedisLongPause));
        let mut rest = ClusterFault::OTHER_FAULTS.to_vec();
        rest.retain(|mishap| *mishap != Failover || cycle == 0);
        let mut end = 0;
        for (place, mut kinds, after) in [(0, bus, 0), (1, rest, AFTER_REDIS_PAUSE_MS)] {
            kinds.shuffle(&mut rng);
            // No beat comes and no connection breaks: only its silence tells, and nothing else is broken meanwhile.
            if let Some(freeze) = kinds.iter().position(|kind| *kind == RedisPause) {
                kinds.swap(0, freeze);
            }
            let some = lane(&mut rng, &kinds, begin + AFTER_NODE_DEATH_MS + after, length_ms);
            end = some.iter().map(|planned| (planned.at + planned.length).as_millis() as u64).fold(end, u64::max);
            let whole = some.len() == kinds.len();
            plan[place].extend(some);
            if !whole {
                end = length_ms;
            }
        }
        begin = end + CALM_BEFORE_MS;
    }
    plan
}

/// These one after the other, as far as they end in time.
fn lane(rng: &mut StdRng, kinds: &[ClusterFault], mut at: u64, length_ms: u64) -> Vec<PlannedClusterFault> {
    let mut planned = Vec::new();
    for mishap in kinds {
        let (from, to) = mishap.duration_ms();
        let (lasts, node) = (rng.random_range(from..=to), rng.random_range(0..NODES));
        if at + lasts + mishap.recovery_ms() > length_ms {
            break;
        }
        let (start, length) = (Duration::from_millis(at), Duration::from_millis(lasts));
        planned.push(PlannedClusterFault { at: start, fault: *mishap, node, length });
        at += lasts + rng.random_range(GAP_MS.0..GAP_MS.1) + mishap.recovery_ms();
    }
    planned
}
