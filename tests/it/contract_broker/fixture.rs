//! Two nodes on one bus, and all they have heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use livesouk::broker::{Broker, BrokerEvent, StreamHistory, StreamPosition};
use livesouk::domain::StreamId;

use crate::support::redis::{Cluster, Redis};
use crate::support::{SOON, until_some};

/// Every fact once on each kind of broker.
macro_rules! facts {
    ($($fact:ident)*) => {
        mod local {
            use crate::contract_broker::fixture::Fixture;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact(Fixture::on_local()).await;
            })*
        }
        $crate::contract_broker::fixture::bus_facts!($($fact)*);
    };
}
/// The same for what is true of a bus alone.
macro_rules! bus_facts {
    ($($fact:ident)*) => {
        mod redis {
            use crate::contract_broker::fixture::Fixture;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact(Fixture::on_redis().await).await;
            })*
        }
        mod cluster {
            use crate::contract_broker::fixture::Fixture;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact(Fixture::on_cluster().await).await;
            })*
        }
    };
}
pub(super) use {bus_facts, facts};

pub const SHOP: &str = "the-shop";

/// One node's broker, and what it delivered so far.
pub struct Node {
    pub broker: Arc<Broker>,
    heard: Arc<Mutex<Vec<BrokerEvent>>>,
}

impl Node {
    fn new((broker, mut deliveries): (Broker, tokio::sync::mpsc::Receiver<BrokerEvent>)) -> Node {
        let heard = Arc::<Mutex<Vec<BrokerEvent>>>::default();
        let collected = heard.clone();
        tokio::spawn(async move {
            while let Some(delivery) = deliveries.recv().await {
                collected.lock().unwrap().push(delivery);
            }
        });
        Node { broker: Arc::new(broker), heard }
    }

    /// A node on the bus at these URLs, which is heard.
    pub async fn on(urls: &str) -> Node {
        let node = Node::new(Broker::redis(urls, SHOP).unwrap());
        assert!(node.broker.wait_until_up(SOON).await, "the bus at {urls} is not heard");
        node
    }

    pub fn heard(&self) -> Vec<BrokerEvent> {
        self.heard.lock().unwrap().clone()
    }

    /// The first delivery for which `find` has an answer, now or soon.
    pub async fn hears<T>(&self, what: &str, find: impl Fn(&BrokerEvent) -> Option<T>) -> T {
        let find = || self.heard().iter().find_map(&find);
        until_some(what, SOON, || std::future::ready(find())).await
    }

    /// What was said in a stream as this node's room would know it: each text with its number. Panics over a hole, a repeat
    /// or an epoch that nobody announced.
    pub fn log(&self, stream: StreamId, opening: &StreamHistory) -> Vec<(u64, String)> {
        let mut place = opening.position.clone();
        let mut log: Vec<(u64, String)> = opening.events.iter().map(|(seq, body)| (*seq, text(body))).collect();
        for delivery in self.heard() {
            match delivery {
                BrokerEvent::Events { stream: own, epoch, first, bodies } if own == stream => {
                    // What came in before the room opened is in what it opened with.
                    if epoch == place.epoch && first + bodies.len() as u64 <= place.seq + 1 {
                        continue;
                    }
                    assert_eq!((&epoch, first), (&place.epoch, place.seq + 1), "the log of {stream} goes on");
                    log.extend((first..).zip(bodies.iter().map(text)));
                    place.seq += bodies.len() as u64;
                }
                BrokerEvent::Restart { stream: own, position: new, recent } if own == stream => {
                    place = new;
                    log = recent.iter().map(|(seq, body)| (*seq, text(body))).collect();
                }
                _ => {}
            }
        }
        log
    }

    /// Waits until so many events are in the log.
    pub async fn log_of(&self, count: usize, stream: StreamId, opening: &StreamHistory) -> Vec<(u64, String)> {
        until_some("whole log", SOON, async || {
            let log = self.log(stream, opening);
            (log.len() >= count).then_some(log)
        })
        .await
    }

    pub async fn say(&self, stream: StreamId, what: &str) -> StreamPosition {
        self.broker.publish(stream, vec![Bytes::copy_from_slice(what.as_bytes())]).await.unwrap()
    }

    /// How often a room was told to start over.
    pub fn restarts(&self, stream: StreamId) -> usize {
        let restart =
            |delivery: &BrokerEvent| matches!(delivery, BrokerEvent::Restart { stream: own, .. } if *own == stream);
        self.heard().iter().filter(|delivery| restart(delivery)).count()
    }

    /// Waits until the bus is lost, or heard again.
    pub async fn until_up(&self, up: bool, deadline: Duration) {
        let changed = async || (self.broker.metrics().is_up() == up).then_some(());
        until_some(if up { "bus" } else { "loss of the bus" }, deadline, changed).await;
    }
}

pub fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

pub fn texts(log: &[(u64, String)]) -> Vec<&str> {
    log.iter().map(|(_, text)| text.as_str()).collect()
}

pub struct Fixture {
    pub ann: Arc<Node>,
    pub bob: Arc<Node>,
    servers: Servers,
}

pub enum Servers {
    None,
    Redis(Redis),
    Cluster(Cluster),
}

impl Fixture {
    pub fn on_local() -> Fixture {
        let node = Arc::new(Node::new(Broker::local()));
        Fixture { ann: node.clone(), bob: node, servers: Servers::None }
    }

    pub async fn on_redis() -> Fixture {
        let redis = Redis::start().await;
        let urls = redis.url();
        Fixture::with(Servers::Redis(redis), &urls).await
    }

    pub async fn on_cluster() -> Fixture {
        let cluster = Cluster::start().await;
        let urls = cluster.url();
        Fixture::with(Servers::Cluster(cluster), &urls).await
    }

    async fn with(servers: Servers, urls: &str) -> Fixture {
        let (ann, bob) = tokio::join!(Node::on(urls), Node::on(urls));
        Fixture { ann: Arc::new(ann), bob: Arc::new(bob), servers }
    }

    pub fn servers(&mut self) -> Vec<&mut Redis> {
        match &mut self.servers {
            Servers::None => Vec::new(),
            Servers::Redis(redis) => vec![redis],
            Servers::Cluster(cluster) => cluster.masters.iter_mut().collect(),
        }
    }

    pub fn urls(&self) -> String {
        match &self.servers {
            Servers::None => "local".to_owned(),
            Servers::Redis(redis) => redis.url(),
            Servers::Cluster(cluster) => cluster.url(),
        }
    }

    /// A show that both nodes follow.
    pub async fn show(&self) -> (StreamId, StreamHistory) {
        let stream = StreamId::new();
        let opening = self.ann.broker.subscribe(stream).await.unwrap();
        if !Arc::ptr_eq(&self.ann, &self.bob) {
            let other = self.bob.broker.subscribe(stream).await.unwrap();
            assert_eq!(other, opening, "nothing was said yet");
        }
        (stream, opening)
    }
}

/// Counts how often each text is there.
pub fn tally<'a>(texts: impl IntoIterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    let mut tally = HashMap::new();
    texts.into_iter().for_each(|text| *tally.entry(text).or_default() += 1);
    tally
}
