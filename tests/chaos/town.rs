//! What can break in the scene `nodes`, and how it is broken: the stand of selling, and around it the bus and the standby.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::sync::Mutex as TaskMutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fault::{self, NODES};
use crate::host::rng_of;
use crate::inflict::Stand;
use crate::mishap::{Mishap, Outage, Planned};
use crate::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;

/// About one chat frame a second: what comes besides it waits.
const TRICKLE: usize = 8 * 1024;

/// The database: one that serves and one that follows it, so that every commit is on both.
pub struct Pair {
    pub primary: Postgres,
    pub standby: Postgres,
}

impl Pair {
    pub async fn start() -> Result<Pair, String> {
        let primary = Postgres::start().await?;
        // Copied with all the rest: a standby that lost its primary looks for it again soon.
        primary.run("alter system set wal_retrieve_retry_interval = '300ms'").await;
        let standby = Postgres::standby(primary.address()).await?;
        primary.wait_for_standbys().await;
        Ok(Pair { primary, standby })
    }
}

pub struct Town {
    pub stand: Arc<Stand>,
    /// Between each node and Redis.
    pub buses: Vec<Proxy>,
    redis: TaskMutex<Redis>,
    /// For everybody who looks at the database from the side: leads to the one that serves.
    way: Proxy,
    standby: TaskMutex<Option<Postgres>>,
    outages: Mutex<Vec<Outage>>,
    done: Mutex<Vec<Mishap>>,
}

impl Town {
    pub fn new(stand: Arc<Stand>, buses: Vec<Proxy>, redis: Redis, way: Proxy, standby: Postgres) -> Town {
        let (outages, done) = (Mutex::default(), Mutex::default());
        Town { stand, buses, redis: redis.into(), way, standby: TaskMutex::new(Some(standby)), outages, done }
    }

    pub fn outages(&self) -> Vec<Outage> {
        self.outages.lock().unwrap().clone()
    }

    /// What happened, each as often as it did.
    pub fn done(&self) -> Vec<Mishap> {
        self.done.lock().unwrap().clone()
    }

    pub async fn walk_bus(&self, lane: &[Planned], began: Instant) {
        for planned in lane {
            sleep_until(began + planned.at).await;
            let place = {
                let mut outages = self.outages.lock().unwrap();
                let node = planned.mishap.is_of_one_node().then_some(planned.node);
                outages.push(Outage { mishap: planned.mishap, node, from: self.stand.board.now(), to: i64::MAX });
                outages.len() - 1
            };
            self.to_bus(planned).await;
            self.outages.lock().unwrap()[place].to = self.stand.board.now();
            self.done.lock().unwrap().push(planned.mishap);
        }
    }

    async fn to_bus(&self, planned: &Planned) {
        let (bus, mut redis) = (&self.buses[planned.node], self.redis.lock().await);
        match planned.mishap {
            Mishap::RedisBlinks | Mishap::RedisFreezes | Mishap::RedisFreezesLong => {
                redis.freeze();
                sleep(planned.length).await;
                redis.thaw();
            }
            Mishap::RedisDies => {
                redis.kill().await;
                sleep(planned.length).await;
                redis.restart().await;
            }
            Mishap::RedisForgets => drop(redis.command("FLUSHALL").await),
            Mishap::ListenersAreKilled => drop(redis.command("CLIENT KILL TYPE pubsub").await),
            Mishap::BusIsHalfOpen => {
                bus.half_open();
                bus.black_hole();
                sleep(planned.length).await;
                bus.restore();
            }
            Mishap::BusStalls => {
                bus.black_hole();
                sleep(planned.length).await;
                bus.restore();
            }
            Mishap::BusIsSlow => {
                bus.slow(TRICKLE);
                sleep(planned.length).await;
                bus.restore();
            }
            other => unreachable!("{other:?} is not of the bus"),
        }
    }

    pub async fn walk_rest(&self, lane: &[Planned], began: Instant, mut rng: StdRng) {
        for planned in lane {
            sleep_until(began + planned.at).await;
            match planned.mishap {
                Mishap::NodesRoll => self.roll().await,
                Mishap::StandbyTakesOver => self.fail_over(planned.length).await,
                Mishap::Known(fault) => {
                    let Planned { node, length, .. } = *planned;
                    let one = fault::Planned { at: Duration::ZERO, fault, node, length };
                    self.stand.walk(&[one], Instant::now(), rng_of(&mut rng)).await;
                }
                other => unreachable!("{other:?} is of the bus"),
            }
            self.done.lock().unwrap().push(planned.mishap);
        }
    }

    /// As a new version is rolled out: a node is asked to stop, ends, and starts before the next one is asked.
    async fn roll(&self) {
        for node in 0..NODES {
            let window = self.stand.begin("asked to stop", Some(node));
            let mut node = self.stand.nodes[node].lock().await;
            node.look_after().await;
            let said = node.stop().await;
            node.start_again().await;
            self.stand.end(window, said);
        }
    }

    /// As a cluster manager does it: the old one is gone for good before the new one serves.
    async fn fail_over(&self, pause: Duration) {
        let Some(standby) = self.standby.lock().await.take() else { return };
        let window = self.stand.begin("the standby takes over", None);
        let mut nodes = Vec::new();
        for node in &self.stand.nodes {
            nodes.push(node.lock().await);
        }
        let ways = || nodes.iter().map(|node| &node.proxy).chain([&self.way]);
        ways().for_each(Proxy::cut);
        let mut primary = self.stand.postgres.lock().await;
        primary.crash().await;
        sleep(pause).await;
        standby.promote().await;
        ways().for_each(|way| way.aim(standby.address()));
        ways().for_each(Proxy::restore);
        *primary = standby;
        self.stand.end(window, String::new());
    }
}
