//! `scripts/cluster`: starts one shop on two nodes, and stops it without leaving anything behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::rest::Rest;
use crate::support::shop::{id, sign};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

struct ClusterScript(PathBuf);

impl ClusterScript {
    fn run(&self, word: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cluster");
        let mut command = Command::new(script);
        command.arg(word).env("LIVESOUK_CLUSTER", &self.0).env("LIVESOUK_BIN", env!("CARGO_BIN_EXE_livesouk"));
        command.output().expect("bash starts")
    }

    /// The addresses behind a word in the output of `up`.
    fn addresses(&self, of: &str) -> Vec<String> {
        let printed = std::fs::read_to_string(self.0.join("addresses")).expect("the file `addresses` exists");
        let line =
            printed.lines().find_map(|line| line.strip_prefix(of)).unwrap_or_else(|| panic!("no {of}: {printed}"));
        line.split_whitespace().map(str::to_owned).collect()
    }
}

impl ClusterScript {
    /// Under /tmp, like the default of the script: the user postgres must have access.
    fn new() -> ClusterScript {
        ClusterScript(PathBuf::from(format!("/tmp/livesouk-cluster-test-{:016x}", rand::random::<u64>())))
    }

    fn up(&self) {
        let up = self.run("up");
        assert_eq!(code(&up), Some(0), "{}", String::from_utf8_lossy(&up.stderr));
    }

    fn pid(&self, of: &str) -> String {
        let line = std::fs::read_to_string(self.0.join("run").join(of)).unwrap_or_else(|error| panic!("{of}: {error}"));
        line.split(' ').next().expect("a word").to_owned()
    }

    fn kill(&self, what: &str) {
        let killed = Command::new("kill").args(["-KILL", &self.pid(what)]).status().expect("kill runs");
        assert!(killed.success(), "{what}");
    }

    /// A client of the host and a live show.
    async fn show(&self, at: &str) -> (Rest, String) {
        let key = std::fs::read_to_string(self.0.join("auth-key")).unwrap();
        let host = Rest::new(at).with_token(&sign(&key, "h", "host", 600));
        let stream = id(&host.post("/v1/streams", json!({"title": "Show"})).await.expect(201));
        host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
        (host, stream)
    }

    async fn live(&self, at: &str, stream: &str, who: &str) -> Live {
        let key = std::fs::read_to_string(self.0.join("auth-key")).unwrap();
        Live::connect(at, stream, Some(&sign(&key, who, "viewer", 600))).await
    }
}

impl Drop for ClusterScript {
    fn drop(&mut self) {
        self.run("down");
    }
}

fn code(of: &Output) -> Option<i32> {
    of.status.code()
}

#[tokio::test]
async fn cluster_is_one_shop_on_two_nodes_and_leaves_nothing_behind() {
    let cluster = ClusterScript::new();
    assert_eq!(code(&cluster.run("status")), Some(1), "nothing runs yet");
    cluster.up();
    assert_eq!(code(&cluster.run("status")), Some(0));
    assert_eq!(code(&cluster.run("up")), Some(2), "a second start is refused");

    let nodes = cluster.addresses("Nodes");
    let (_host, stream) = cluster.show(&nodes[0]).await;
    let mut here = cluster.live(&nodes[0], &stream, "ann").await;
    let mut there = Live::connect(&nodes[1], &stream, None).await;
    here.ask(json!({"do": "say", "text": "across"})).await.unwrap();
    there.event("message from the other node", SOON, |event| event["text"] == "across").await;
    for metrics in cluster.addresses("Metrics") {
        let page = Rest::new(metrics.trim_end_matches("/metrics")).get("/metrics").await;
        assert!(page.body.as_str().is_some_and(|text| text.contains("livesouk_broker_shards_up 1")), "{page:?}");
    }

    let pids = ["postgres", "redis", "node-a", "node-b", "proxy"].map(|name| cluster.pid(name));
    assert_eq!(code(&cluster.run("down")), Some(0));
    assert!(!cluster.0.exists());
    for pid in pids {
        // A process that has ended but was not reaped yet has a file there too.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
        assert!(matches!(state, None | Some(Some('Z' | 'X'))), "{pid} still runs: {stat}");
    }
    assert_eq!(code(&cluster.run("down")), Some(0), "a second stop changes nothing");
}

/// deploy/haproxy.cfg in a real HAProxy in front of two real nodes.
#[tokio::test]
async fn shop_behind_the_proxy_survives_redis_and_a_node() {
    let cluster = ClusterScript::new();
    cluster.up();
    let proxy = cluster.addresses("Shop").remove(0);
    let (host, stream) = cluster.show(&proxy).await;
    let mut viewers = Vec::new();
    for who in ["ann", "bob", "cem", "dan"] {
        viewers.push(cluster.live(&proxy, &stream, who).await);
    }
    viewers[0].ask(json!({"do": "say", "text": "through the proxy"})).await.unwrap();
    for viewer in &mut viewers {
        viewer.event("message", SOON, |event| event["text"] == "through the proxy").await;
    }
    for node in cluster.addresses("Metrics") {
        let page = Rest::new(node.trim_end_matches("/metrics")).get("/metrics").await.body;
        assert!(page.as_str().is_some_and(|page| page.contains("\nlivesouk_websocket_connections 2.0\n")), "{page}");
    }
    assert_eq!(host.get("/metrics").await.status, 404, "the proxy does not expose metrics");

    cluster.kill("redis");
    for node in cluster.addresses("Nodes") {
        let rest = Rest::new(&node);
        until_some("node without Redis", SOON, async || (rest.get("/readyz").await.status == 503).then_some(())).await;
    }
    // Long enough for three health checks of the proxy.
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        let show = host.get(&format!("/v1/streams/{stream}")).await;
        assert_eq!(
            show.status, 200,
            "without Redis the shop still works, so the proxy must not remove the nodes: {show:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    viewers.push(cluster.live(&proxy, &stream, "eve").await);

    cluster.kill("node-a");
    let mut served = 0;
    until_some("remaining node", SOON, async || {
        let fine = host.try_send(reqwest::Method::GET, &format!("/v1/streams/{stream}"), &[], None).await;
        served = if fine.is_ok_and(|answer| answer.status == 200) { served + 1 } else { 0 };
        (served == 20).then_some(())
    })
    .await;
    cluster.live(&proxy, &stream, "fay").await;
}
