//! The fault plan of the scene `nodes`: which fault happens when. A pure function of the seed and the length.
//!
//! The plan has cycles. Each cycle begins with the death of a node and then of the broker while nothing else is broken,
//! so that their effects can be judged alone. Then faults of the broker and other faults happen side by side, each in a
//! lane of its own, and every kind once.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::fault::{Fault, NODES};
use super::journal::Millis;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClusterFault {
    /// SIGSTOP of Redis for about two seconds. No event may be lost.
    RedisShortPause,
    /// For ten seconds: the nodes find that Redis is dead.
    RedisPause,
    /// For thirty seconds.
    RedisLongPause,
    /// kill -9 of Redis, which then restarts empty.
    RedisCrash,
    /// FLUSHALL.
    RedisFlush,
    /// `CLIENT KILL TYPE pubsub`.
    SubscribersKilled,
    /// The same again and again while new shows open.
    RoomsOpenDuringKills,
    /// For one node: Redis is gone from its connections without a sign, and new connections move no data.
    LinkHalfOpen,
    /// For one node: its connections to Redis move no data.
    LinkStall,
    /// For one node: Redis answers very slowly.
    LinkSlow,
    /// SIGTERM for one node after the other; each is restarted before the next.
    RollingRestart,
    /// For one node: the address of the database leads to the standby, which is alive. Before [`Failover`], which uses it.
    LivingStandby,
    /// PostgreSQL is lost permanently, and its synchronous standby is promoted. Once in a run.
    Failover,
    /// A fault of the scene `selling`.
    Selling(Fault),
}

use ClusterFault::*;

impl ClusterFault {
    pub const BROKER_FAULTS: [ClusterFault; 9] = [
        RedisShortPause,
        RedisPause,
        RedisCrash,
        RedisFlush,
        SubscribersKilled,
        RoomsOpenDuringKills,
        LinkHalfOpen,
        LinkStall,
        LinkSlow,
    ];
    /// Besides the one node that dies at the beginning of a cycle.
    pub const OTHER_FAULTS: [ClusterFault; 8] = [
        RollingRestart,
        LivingStandby,
        Failover,
        Selling(Fault::RestartPostgres),
        Selling(Fault::CrashPostgres),
        Selling(Fault::StallLinks),
        Selling(Fault::DelayLinks),
        Selling(Fault::HalfOpen),
    ];

    /// Affects the broker link of one node only.
    pub fn is_single_node(self) -> bool {
        matches!(self, LinkHalfOpen | LinkStall | LinkSlow)
    }

    /// The broker link is dead for longer than its detection may take.
    pub fn breaks_broker_link(self) -> bool {
        matches!(self, RedisPause | RedisLongPause | RedisCrash | LinkHalfOpen | LinkStall)
    }

    /// The shortest and the longest duration in milliseconds.
    fn duration_ms(self) -> (u64, u64) {
        match self {
            RedisShortPause => (1_700, 2_100),
            RedisPause => (10_000, 10_000),
            RedisLongPause => (30_000, 30_000),
            RedisCrash => (4_500, 6_000),
            LinkHalfOpen | LinkStall => (5_000, 6_000),
            LinkSlow => (2_500, 3_500),
            RoomsOpenDuringKills => (3_000, 4_000),
            LivingStandby => (4_000, 5_000),
            RedisFlush | SubscribersKilled | RollingRestart => (0, 0),
            Failover => (0, 1_000),
            Selling(Fault::KillNode) => (500, 2_000),
            Selling(Fault::StallLinks) => (1_000, 3_000),
            Selling(Fault::DelayLinks) => (2_000, 3_000),
            Selling(_) => (0, 500),
        }
    }

    /// The time that recovery takes, so that the next fault usually finds a healthy cluster.
    fn recovery_ms(self) -> u64 {
        match self {
            RollingRestart => 13_000,
            Failover | Selling(Fault::RestartPostgres | Fault::CrashPostgres) => 3_500,
            RedisShortPause | LinkSlow => 1_000,
            _ => 2_000,
        }
    }
}

/// One planned fault. Times count from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedClusterFault {
    pub at: Duration,
    pub fault: ClusterFault,
    /// Used only by faults of one node.
    pub node: usize,
    pub length: Duration,
}

/// A fault of the broker, with its time.
#[derive(Debug, Clone)]
pub struct BrokerOutage {
    pub fault: ClusterFault,
    /// The only node that it affected.
    pub node: Option<usize>,
    pub from: Millis,
    pub to: Millis,
}

impl BrokerOutage {
    pub fn touches(&self, node: usize) -> bool {
        self.node.is_none_or(|only| only == node)
    }
}

/// The lane of the broker and the lane of other faults, each in the order of time.
pub type ClusterFaultLanes = [Vec<PlannedClusterFault>; 2];

const CALM_BEFORE_MS: u64 = 3_000;
/// A little longer than the viewer count may be wrong after a node died.
const AFTER_NODE_DEATH_MS: u64 = 13_000;
/// A little longer than nodes may take to detect that the broker is dead.
const AFTER_REDIS_PAUSE_MS: u64 = 5_000;
const CALM_BETWEEN_MS: (u64, u64) = (300, 1_200);
/// Runs of at least this length have time for thirty seconds without Redis.
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
        rest.retain(|fault| !matches!(fault, Failover | LivingStandby) || cycle == 0);
        let mut end = 0;
        for (place, mut kinds, after) in [(0, bus, 0), (1, rest, AFTER_REDIS_PAUSE_MS)] {
            kinds.shuffle(&mut rng);
            // No heartbeat comes and no connection breaks: only the silence shows it, and nothing else is broken
            // meanwhile.
            if let Some(freeze) = kinds.iter().position(|kind| *kind == RedisPause) {
                kinds.swap(0, freeze);
            }
            // The failover uses up the standby.
            let of = |fault| kinds.iter().position(|kind| *kind == fault);
            if let (Some(failover), Some(living)) = (of(Failover), of(LivingStandby))
                && failover < living
            {
                kinds.swap(failover, living);
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

/// Plans these faults one after the other, as far as they end in time.
fn lane(rng: &mut StdRng, kinds: &[ClusterFault], mut at: u64, length_ms: u64) -> Vec<PlannedClusterFault> {
    let mut planned = Vec::new();
    for fault in kinds {
        let (from, to) = fault.duration_ms();
        let (lasts, node) = (rng.random_range(from..=to), rng.random_range(0..NODES));
        if at + lasts + fault.recovery_ms() > length_ms {
            break;
        }
        let (start, length) = (Duration::from_millis(at), Duration::from_millis(lasts));
        planned.push(PlannedClusterFault { at: start, fault: *fault, node, length });
        at += lasts + rng.random_range(CALM_BETWEEN_MS.0..CALM_BETWEEN_MS.1) + fault.recovery_ms();
    }
    planned
}
