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
pub enum Mishap {
    /// SIGSTOP of Redis for about two seconds: it must cost no event.
    RedisBlinks,
    /// For ten: it is found dead.
    RedisFreezes,
    /// For thirty.
    RedisFreezesLong,
    /// kill -9 of Redis; it comes back empty.
    RedisDies,
    /// FLUSHALL.
    RedisForgets,
    /// `CLIENT KILL TYPE pubsub`.
    ListenersAreKilled,
    /// Of one node: Redis is gone from its links and nobody tells; new ones move nothing.
    BusIsHalfOpen,
    /// Of one node: nothing moves on its links to Redis.
    BusStalls,
    /// Of one node: Redis answers in a trickle.
    BusIsSlow,
    /// SIGTERM of one node after the other, each started again before the next.
    NodesRoll,
    /// Postgres is lost for ever, and its synchronous standby takes over. Once in a run.
    StandbyTakesOver,
    /// Of the scene `selling`.
    Known(Fault),
}

use Mishap::*;

impl Mishap {
    pub const OF_BUS: [Mishap; 8] =
        [RedisBlinks, RedisFreezes, RedisDies, RedisForgets, ListenersAreKilled, BusIsHalfOpen, BusStalls, BusIsSlow];
    /// Besides the one node that dies at the beginning of a cycle.
    pub const OF_THE_REST: [Mishap; 7] = [
        NodesRoll,
        StandbyTakesOver,
        Known(Fault::RestartPostgres),
        Known(Fault::CrashPostgres),
        Known(Fault::StallLinks),
        Known(Fault::DelayLinks),
        Known(Fault::HalfOpen),
    ];

    /// Touches one node's way to the bus and no other's.
    pub fn is_of_one_node(self) -> bool {
        matches!(self, BusIsHalfOpen | BusStalls | BusIsSlow)
    }

    /// The bus is dead for whom it touches, for longer than it may take to find out.
    pub fn kills_the_bus(self) -> bool {
        matches!(self, RedisFreezes | RedisFreezesLong | RedisDies | BusIsHalfOpen | BusStalls)
    }

    /// From, to: how long it lasts, in milliseconds.
    fn length_ms(self) -> (u64, u64) {
        match self {
            RedisBlinks => (1_700, 2_100),
            RedisFreezes => (10_000, 10_000),
            RedisFreezesLong => (30_000, 30_000),
            RedisDies => (4_500, 6_000),
            BusIsHalfOpen | BusStalls => (5_000, 6_000),
            BusIsSlow => (2_500, 3_500),
            RedisForgets | ListenersAreKilled | NodesRoll => (0, 0),
            StandbyTakesOver => (0, 1_000),
            Known(Fault::KillNode) => (500, 2_000),
            Known(Fault::StallLinks) => (1_000, 3_000),
            Known(Fault::DelayLinks) => (2_000, 3_000),
            Known(_) => (0, 500),
        }
    }

    /// What mends by itself afterwards, so that the next mishap meets a sound shop more often than not.
    fn mends_ms(self) -> u64 {
        match self {
            NodesRoll => 13_000,
            StandbyTakesOver | Known(Fault::RestartPostgres | Fault::CrashPostgres) => 3_500,
            RedisBlinks | BusIsSlow => 1_000,
            _ => 2_000,
        }
    }
}

/// One mishap; times count from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    pub at: Duration,
    pub mishap: Mishap,
    /// Meant only for those of one node.
    pub node: usize,
    pub length: Duration,
}

/// A mishap of the bus, and when it was one.
#[derive(Debug, Clone)]
pub struct Outage {
    pub mishap: Mishap,
    /// The only node that felt it.
    pub node: Option<usize>,
    pub from: Millis,
    pub to: Millis,
}

impl Outage {
    pub fn touches(&self, node: usize) -> bool {
        self.node.is_none_or(|only| only == node)
    }
}

/// The lane of the bus and that of the rest, each in the order of time.
pub type Plan = [Vec<Planned>; 2];

const CALM_BEFORE_MS: u64 = 3_000;
/// As long as the count of viewers may be wrong after a node died, and a bit.
const AFTER_A_DEATH_MS: u64 = 13_000;
/// As long as nodes may take to find out that the bus is dead, and a bit.
const AFTER_A_FREEZE_MS: u64 = 5_000;
const GAP_MS: (u64, u64) = (300, 1_200);
/// Runs of at least this length have room for half a minute without Redis.
const LONG_RUN: Duration = Duration::from_secs(300);

pub fn plan(seed: u64, length: Duration) -> Plan {
    let mut rng = StdRng::seed_from_u64(seed);
    let (length_ms, is_long) = (length.as_millis() as u64, LONG_RUN <= length);
    let mut plan = Plan::default();
    let mut begin = CALM_BEFORE_MS;
    for cycle in 0.. {
        let death = lane(&mut rng, &[Known(Fault::KillNode)], begin, length_ms);
        if death.is_empty() {
            break;
        }
        plan[1].extend(death);
        let mut bus = Mishap::OF_BUS.to_vec();
        bus.extend(is_long.then_some(RedisFreezesLong));
        let mut rest = Mishap::OF_THE_REST.to_vec();
        rest.retain(|mishap| *mishap != StandbyTakesOver || cycle == 0);
        let mut end = 0;
        for (place, mut kinds, after) in [(0, bus, 0), (1, rest, AFTER_A_FREEZE_MS)] {
            kinds.shuffle(&mut rng);
            // No beat comes and no connection breaks: only its silence tells, and nothing else is broken meanwhile.
            if let Some(freeze) = kinds.iter().position(|kind| *kind == RedisFreezes) {
                kinds.swap(0, freeze);
            }
            let some = lane(&mut rng, &kinds, begin + AFTER_A_DEATH_MS + after, length_ms);
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
fn lane(rng: &mut StdRng, kinds: &[Mishap], mut at: u64, length_ms: u64) -> Vec<Planned> {
    let mut planned = Vec::new();
    for mishap in kinds {
        let (from, to) = mishap.length_ms();
        let (lasts, node) = (rng.random_range(from..=to), rng.random_range(0..NODES));
        if at + lasts + mishap.mends_ms() > length_ms {
            break;
        }
        let (start, length) = (Duration::from_millis(at), Duration::from_millis(lasts));
        planned.push(Planned { at: start, mishap: *mishap, node, length });
        at += lasts + rng.random_range(GAP_MS.0..GAP_MS.1) + mishap.mends_ms();
    }
    planned
}
