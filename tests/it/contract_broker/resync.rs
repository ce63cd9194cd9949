//! After a new link, a node compares the positions of its streams with Redis: 200 streams a call, one call after the other. Only streams
//! that missed something read history, a call that fails is repeated, and the heartbeat has a connection of its own.

use std::collections::HashSet;

use futures_util::future::join_all;
use livesouk::broker::BrokerEvent;
use livesouk::domain::StreamId;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::fixture::Node;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::{SOON, until_some};

/// A node behind a proxy that can be cut, and one that is always connected.
struct Pair {
    redis: Redis,
    way: Proxy,
    ann: Node,
    bob: Node,
    streams: Vec<StreamId>,
}

impl Pair {
    /// The first node follows this many streams.
    async fn following(count: usize) -> Pair {
        let redis = Redis::start().await;
        let way = Proxy::start(redis.address()).await;
        let ann = Node::on(&format!("redis://{}", way.address())).await;
        let bob = Node::on(&redis.url()).await;
        let streams: Vec<StreamId> = (0..count).map(|_| StreamId::new()).collect();
        for some in streams.chunks(50) {
            let opened = join_all(some.iter().map(|stream| ann.broker.subscribe(*stream))).await;
            assert!(opened.iter().all(Result::is_ok), "every room has its history");
        }
        Pair { redis, way, ann, bob, streams }
    }

    /// Cuts the first node off, and publishes an event in each of these streams.
    async fn miss(&self, streams: &[StreamId]) {
        self.way.cut();
        self.ann.until_up(false, SOON).await;
        for stream in streams {
            self.bob.publish(*stream, "missed").await;
        }
    }

    /// Waits until the first node has the event of each of these streams.
    async fn until_caught_up(&self, streams: &[StreamId]) {
        let has = |received: &[BrokerEvent], wanted: &StreamId| {
            let is_it = |event: &BrokerEvent| matches!(event, BrokerEvent::Events { stream, .. } if stream == wanted);
            received.iter().any(is_it)
        };
        let all = async || {
            let received = self.ann.received();
            streams.iter().all(|stream| has(&received, stream)).then_some(())
        };
        until_some("every missed event", SOON, all).await;
    }
}

/// What the node asks Redis for, in order: a position, or a history.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Asked {
    Position(usize),
    History(usize),
}

/// Collects the commands that clients send about these streams, until it is dropped.
async fn monitor(redis: &Redis, streams: &[StreamId]) -> std::sync::Arc<std::sync::Mutex<Vec<Asked>>> {
    let mut connection = TcpStream::connect(redis.address()).await.unwrap();
    connection.write_all(b"MONITOR\r\n").await.unwrap();
    let mut lines = BufReader::new(connection).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("+OK"));
    let streams: Vec<String> = streams.iter().map(ToString::to_string).collect();
    let asked = std::sync::Arc::<std::sync::Mutex<Vec<Asked>>>::default();
    let collected = asked.clone();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            // What a script does is a part of its own call.
            let Some(at) = streams.iter().position(|stream| line.contains(stream)).filter(|_| !line.contains(" lua]"))
            else {
                continue;
            };
            let upper = line.to_uppercase();
            if upper.contains("\"HMGET\"") {
                collected.lock().unwrap().push(Asked::Position(at));
            } else if upper.contains("\"EVALSHA\"") {
                collected.lock().unwrap().push(Asked::History(at));
            }
        }
    });
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resync_compares_200_streams_a_call_and_reads_only_what_was_missed() {
    let pair = Pair::following(450).await;
    let missed: Vec<StreamId> = pair.streams.iter().copied().step_by(3).collect();
    pair.miss(&missed).await;
    let asked = monitor(&pair.redis, &pair.streams).await;
    pair.way.restore();
    pair.until_caught_up(&missed).await;
    let all = async || {
        let asked = asked.lock().unwrap().clone();
        let positions = asked.iter().filter(|one| matches!(one, Asked::Position(_))).count();
        let is_all = positions == pair.streams.len() && asked.len() - positions >= missed.len();
        is_all.then_some(asked)
    };
    let asked = until_some("the last position and history", SOON, all).await;

    let runs: Vec<&[Asked]> =
        asked.chunk_by(|one, next| matches!(one, Asked::Position(_)) == matches!(next, Asked::Position(_))).collect();
    let calls: Vec<usize> =
        runs.iter().filter(|run| matches!(run[0], Asked::Position(_))).map(|run| run.len()).collect();
    assert_eq!(calls, [200, 200, 50], "streams a call");
    // Before the next call is made, each stream of the last one that missed something has asked for its history.
    let (mut compared, mut read) = (HashSet::new(), HashSet::new());
    for run in runs {
        for one in run {
            match one {
                Asked::Position(at) => {
                    assert!(compared.insert(*at), "compared twice");
                }
                Asked::History(at) => {
                    assert!(compared.contains(at), "not compared yet");
                    assert!(at.is_multiple_of(3), "a stream that missed nothing reads no history");
                    read.insert(*at);
                }
            }
        }
        if matches!(run[0], Asked::History(_)) {
            assert_eq!(read.len(), compared.iter().filter(|at| at.is_multiple_of(3)).count());
        }
    }
    assert_eq!(read.len(), missed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resync_that_fails_is_repeated_until_it_is_done() {
    let pair = Pair::following(10).await;
    let (missed, broken) = (pair.streams[0], pair.streams[1]);
    pair.miss(&[missed]).await;
    // A key of the wrong type: Redis answers the call about all ten streams with an error.
    let keys = pair.redis.command(&format!("KEYS *:m:{broken}")).await;
    let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
    let meta = &keys[0];
    pair.redis.command(&format!("RENAME {meta} put-aside")).await;
    pair.redis.command(&format!("SET {meta} wrong")).await;
    let before = pair.redis.calls("hmget").await;
    pair.way.restore();
    pair.ann.until_up(true, SOON).await;
    let tried = async || (pair.redis.calls("hmget").await >= before + 40).then_some(());
    until_some("four attempts", SOON, tried).await;
    assert!(
        !pair.ann.received().iter().any(|event| matches!(event, BrokerEvent::Events { .. })),
        "nothing is read yet"
    );
    pair.redis.command(&format!("RENAME put-aside {meta}")).await;
    pair.until_caught_up(&[missed]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeat_has_a_connection_of_its_own() {
    let redis = Redis::start().await;
    let node = Node::on(&redis.url()).await;
    let stream = StreamId::new();
    node.broker.subscribe(stream).await.unwrap();
    node.publish(stream, "a call").await;
    // The last command of each connection that subscribes to nothing, beside the one that asks.
    let commands = async || {
        let list: String = redis::from_redis_value(redis.command("CLIENT LIST").await).unwrap();
        let field = |line: &str, name: &str| {
            line.split(' ').find_map(|field| field.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let quiet = list.lines().filter(|line| field(line, "sub=") == "0" && field(line, "ssub=") != "1");
        let mut last: Vec<String> = quiet.map(|line| field(line, "cmd=")).filter(|cmd| cmd != "client|list").collect();
        last.sort_unstable();
        (last == ["evalsha", "publish"]).then_some(())
    };
    until_some("one connection for calls and one for heartbeats", SOON, commands).await;
}
