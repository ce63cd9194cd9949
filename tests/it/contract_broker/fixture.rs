//! Two nodes on one broker, and everything they have received.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use livesouk::broker::{Broker, BrokerEvent, StreamHistory, StreamPosition};
use livesouk::domain::StreamId;

use crate::support::redis::{Cluster, Redis};
use crate::support::{SOON, until_some};

/// Runs every fact once on each kind of broker.
macro_rules! facts {
    ($($fact:ident)*) => {
        mod local {
            use crate::contract_broker::fixture::Fixture;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact(Fixture::on_local()).await;
            })*
        }
        $crate::contract_broker::fixture::redis_facts!($($fact)*);
    };
}
/// The same for facts that hold on Redis only.
macro_rules! redis_facts {
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
pub(super) use {facts, redis_facts};

pub const SHOP: &str = "the-shop";

/// One node's broker, and text it has delivered so far.
pub struct Node {
    pub broker: Arc<Broker>,
    received: Arc<Mutex<Vec<BrokerEvent>>>,
}

impl Node {
    fn new((broker, mut events): (Broker, tokio::sync::mpsc::Receiver<BrokerEvent>)) -> Node {
        let received = Arc::<Mutex<Vec<BrokerEvent>>>::default();
        let collected = received.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                collected.lock().unwrap().push(event);
            }
        });
        Node { broker: Arc::new(broker), received }
    }

    /// A node on the Redis at these URLs, connected.
    pub async fn on(urls: &str) -> Node {
        let node = Node::new(Broker::redis(urls, SHOP).unwrap());
        assert!(node.broker.wait_until_up(SOON).await, "the broker at {urls} is not connected");
        node
    }

    pub fn received(&self) -> Vec<BrokerEvent> {
        self.received.lock().unwrap().clone()
    }

    /// The first delivery for which `find` returns a value, now or soon.
    pub async fn receives<T>(&self, text: &str, find: impl Fn(&BrokerEvent) -> Option<T>) -> T {
        let find = || self.received().iter().find_map(&find);
        until_some(text, SOON, || std::future::ready(find())).await
    }

    /// The log of a stream as this node's room would know it: each text with its number. Panics at a hole, a repeated
    /// event or an epoch that was not announced.
    pub fn log(&self, stream: StreamId, history: &StreamHistory) -> Vec<(u64, String)> {
        let mut position = history.position.clone();
        let mut log: Vec<(u64, String)> = history.events.iter().map(|(seq, body)| (*seq, text(body))).collect();
        for event in self.received() {
            match event {
                BrokerEvent::Events { stream: own_stream, epoch, first_seq, bodies } if own_stream == stream => {
                    // What arrived before the room opened is in its history.
                    if epoch == position.epoch && first_seq + bodies.len() as u64 <= position.seq + 1 {
                        continue;
                    }
                    assert_eq!(
                        (&epoch, first_seq),
                        (&position.epoch, position.seq + 1),
                        "the log of {stream} continues"
                    );
                    log.extend((first_seq..).zip(bodies.iter().map(text)));
                    position.seq += bodies.len() as u64;
                }
                BrokerEvent::Restart { stream: own_stream, position: new, recent } if own_stream == stream => {
                    position = new;
                    log = recent.iter().map(|(seq, body)| (*seq, text(body))).collect();
                }
                _ => {}
            }
        }
        log
    }

    /// Waits until the log has this many events.
    pub async fn wait_for_log(&self, count: usize, stream: StreamId, history: &StreamHistory) -> Vec<(u64, String)> {
        until_some("whole log", SOON, async || {
            let log = self.log(stream, history);
            (log.len() >= count).then_some(log)
        })
        .await
    }

    pub async fn publish(&self, stream: StreamId, text: &str) -> StreamPosition {
        self.broker.publish(stream, vec![Bytes::copy_from_slice(text.as_bytes())]).await.unwrap()
    }

    /// How often a room had to restart.
    pub fn restarts(&self, stream: StreamId) -> usize {
        let restart = |event: &BrokerEvent| matches!(event, BrokerEvent::Restart { stream: own_stream, .. } if *own_stream == stream);
        self.received().iter().filter(|event| restart(event)).count()
    }

    /// Waits until the broker is connected, or is not.
    pub async fn until_up(&self, up: bool, deadline: Duration) {
        let changed = async || (self.broker.metrics().is_up() == up).then_some(());
        until_some(if up { "broker" } else { "loss of the broker" }, deadline, changed).await;
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

    /// A show that both nodes are subscribed to.
    pub async fn show(&self) -> (StreamId, StreamHistory) {
        let stream = StreamId::new();
        let history = self.ann.broker.subscribe(stream).await.unwrap();
        if !Arc::ptr_eq(&self.ann, &self.bob) {
            let other = self.bob.broker.subscribe(stream).await.unwrap();
            assert_eq!(other, history, "nothing was published yet");
        }
        (stream, history)
    }
}

/// Counts how often each text occurs.
pub fn count_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    let mut count_texts = HashMap::new();
    texts.into_iter().for_each(|text| *count_texts.entry(text).or_default() += 1);
    count_texts
}
