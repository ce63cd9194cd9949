//! The cluster of the scene `nodes`, and how its faults are injected: the fault injector of the scene `selling`, and
//! around it the broker and the standby.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::sync::Mutex as TaskMutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fault::{self, NODES};
use crate::fault_plan::{BrokerOutage, ClusterFault, PlannedClusterFault};
use crate::host::fork_rng;
use crate::injector::FaultInjector;
use crate::postgres::Postgres;
use crate::room_opening::{find_deaf, open_rooms};
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;

/// About one chat frame per second: other frames wait.
const SLOW_LINK_BYTES_PER_S: usize = 8 * 1024;

/// The database: a primary and a synchronous standby, so that every commit is on both.
pub struct PostgresPair {
    pub primary: Postgres,
    pub standby: Postgres,
}

impl PostgresPair {
    pub async fn start() -> Result<PostgresPair, String> {
        let primary = Postgres::start().await?;
        // The standby copies this setting: a standby that lost its primary tries again soon.
        primary.run("alter system set wal_retrieve_retry_interval = '300ms'").await;
        let standby = Postgres::standby(primary.address()).await?;
        primary.wait_for_standbys().await;
        Ok(PostgresPair { primary, standby })
    }
}

pub struct ChaosCluster {
    pub injector: Arc<FaultInjector>,
    /// The proxies between each node and Redis.
    pub broker_proxies: Vec<Proxy>,
    redis: TaskMutex<Redis>,
    /// For observers of the database: leads to the server that is the primary.
    observer_proxy: Proxy,
    standby: TaskMutex<Option<Postgres>>,
    outages: Mutex<Vec<BrokerOutage>>,
    injected: Mutex<Vec<ClusterFault>>,
    /// Shows that were opened while links were killed.
    pub rooms_opened: AtomicUsize,
}

impl ChaosCluster {
    pub fn new(
        injector: Arc<FaultInjector>,
        broker_proxies: Vec<Proxy>,
        redis: Redis,
        observer_proxy: Proxy,
        standby: Postgres,
    ) -> ChaosCluster {
        let (outages, injected) = (Mutex::default(), Mutex::default());
        ChaosCluster {
            injector,
            broker_proxies,
            redis: redis.into(),
            observer_proxy,
            standby: TaskMutex::new(Some(standby)),
            outages,
            injected,
            rooms_opened: AtomicUsize::new(0),
        }
    }

    pub fn outages(&self) -> Vec<BrokerOutage> {
        self.outages.lock().unwrap().clone()
    }

    /// The injected faults, each as often as it happened.
    pub fn injected(&self) -> Vec<ClusterFault> {
        self.injected.lock().unwrap().clone()
    }

    pub async fn run_broker_faults(&self, lane: &[PlannedClusterFault], began: Instant, mut rng: StdRng) {
        for planned in lane {
            sleep_until(began + planned.at).await;
            let place = {
                let mut outages = self.outages.lock().unwrap();
                let node = planned.fault.is_single_node().then_some(planned.node);
                outages.push(BrokerOutage {
                    fault: planned.fault,
                    node,
                    from: self.injector.context.now(),
                    to: i64::MAX,
                });
                outages.len() - 1
            };
            self.inject_broker_fault(planned, &mut rng).await;
            self.outages.lock().unwrap()[place].to = self.injector.context.now();
            self.injected.lock().unwrap().push(planned.fault);
        }
    }

    async fn inject_broker_fault(&self, planned: &PlannedClusterFault, rng: &mut StdRng) {
        let (bus, mut redis) = (&self.broker_proxies[planned.node], self.redis.lock().await);
        match planned.fault {
            ClusterFault::RedisShortPause | ClusterFault::RedisPause | ClusterFault::RedisLongPause => {
                redis.freeze();
                sleep(planned.length).await;
                redis.thaw();
            }
            ClusterFault::RedisCrash => {
                redis.kill().await;
                sleep(planned.length).await;
                redis.restart().await;
            }
            ClusterFault::RedisFlush => drop(redis.command("FLUSHALL").await),
            ClusterFault::SubscribersKilled => drop(redis.command("CLIENT KILL TYPE pubsub").await),
            ClusterFault::RoomsOpenDuringKills => {
                drop(redis);
                let rooms = open_rooms(self, planned.length, rng).await;
                self.rooms_opened.fetch_add(rooms.len(), Ordering::Relaxed);
                let deaf = find_deaf(self, rooms).await;
                deaf.into_iter().for_each(|violation| self.injector.context.record_violation(violation));
            }
            ClusterFault::LinkHalfOpen => {
                bus.half_open();
                bus.black_hole();
                sleep(planned.length).await;
                bus.restore();
            }
            ClusterFault::LinkStall => {
                bus.black_hole();
                sleep(planned.length).await;
                bus.restore();
            }
            ClusterFault::LinkSlow => {
                bus.slow(SLOW_LINK_BYTES_PER_S);
                sleep(planned.length).await;
                bus.restore();
            }
            other => unreachable!("{other:?} is not a broker fault"),
        }
    }

    /// Ends the subscriber connection of every node.
    pub async fn kill_subscribers(&self) {
        let _ = self.redis.lock().await.command("CLIENT KILL TYPE pubsub").await;
    }

    pub async fn run_other_faults(&self, lane: &[PlannedClusterFault], began: Instant, mut rng: StdRng) {
        for planned in lane {
            sleep_until(began + planned.at).await;
            match planned.fault {
                ClusterFault::RollingRestart => self.rolling_restart().await,
                ClusterFault::Failover => self.fail_over(planned.length).await,
                ClusterFault::LivingStandby => self.lead_to_standby(planned.node, planned.length).await,
                ClusterFault::Selling(fault) => {
                    let PlannedClusterFault { node, length, .. } = *planned;
                    let one = fault::PlannedFault { at: Duration::ZERO, fault, node, length };
                    self.injector.walk(&[one], Instant::now(), fork_rng(&mut rng)).await;
                }
                other => unreachable!("{other:?} is a broker fault"),
            }
            self.injected.lock().unwrap().push(planned.fault);
        }
    }

    /// Like the rollout of a new version: a node is asked to stop, ends, and is restarted before the next one is asked.
    async fn rolling_restart(&self) {
        for node in 0..NODES {
            let window = self.injector.begin("asked to stop", Some(node));
            let mut node = self.injector.nodes[node].lock().await;
            node.restart_if_exited().await;
            let said = node.stop().await;
            node.restart().await;
            self.injector.end(window, said);
        }
    }

    /// The address of the database leads one node to the standby, which answers reads and is behind, and then back.
    async fn lead_to_standby(&self, node: usize, length: Duration) {
        let standby = self.standby.lock().await;
        let Some(standby) = standby.as_ref() else { return };
        let mut node = self.injector.nodes[node].lock().await;
        node.restart_if_exited().await;
        let window = self.injector.begin("the address leads to the standby", Some(node.number));
        let primary = self.injector.postgres.lock().await.address();
        for (target, pause) in [(standby.address(), length), (primary, Duration::ZERO)] {
            node.proxy.cut();
            node.proxy.aim(target);
            sleep(Duration::from_millis(20)).await;
            node.proxy.restore();
            sleep(pause).await;
        }
        self.injector.end(window, String::new());
    }

    /// Like a cluster manager: the old primary is gone permanently before the new one serves.
    async fn fail_over(&self, pause: Duration) {
        let Some(standby) = self.standby.lock().await.take() else { return };
        let window = self.injector.begin("the standby takes over", None);
        let mut nodes = Vec::new();
        for node in &self.injector.nodes {
            nodes.push(node.lock().await);
        }
        let ways = || nodes.iter().map(|node| &node.proxy).chain([&self.observer_proxy]);
        ways().for_each(Proxy::cut);
        let mut primary = self.injector.postgres.lock().await;
        primary.crash().await;
        sleep(pause).await;
        standby.promote().await;
        ways().for_each(|way| way.aim(standby.address()));
        ways().for_each(Proxy::restore);
        *primary = standby;
        self.injector.end(window, String::new());
    }
}
