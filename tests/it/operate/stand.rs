//! `scripts/stand`: two nodes that are one shop, up and down again without a trace.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::rest::Rest;
use crate::support::shop::{id, sign};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

struct Stand(PathBuf);

impl Stand {
    fn say(&self, word: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/stand");
        let mut command = Command::new(script);
        command.arg(word).env("LIVESOUK_STAND", &self.0).env("LIVESOUK_BIN", env!("CARGO_BIN_EXE_livesouk"));
        command.output().expect("bash runs")
    }

    /// The addresses behind a word of what `up` prints.
    fn addresses(&self, of: &str) -> Vec<String> {
        let printed = std::fs::read_to_string(self.0.join("where")).expect("it says where");
        let line =
            printed.lines().find_map(|line| line.strip_prefix(of)).unwrap_or_else(|| panic!("no {of}: {printed}"));
        line.split_whitespace().map(str::to_owned).collect()
    }
}

impl Stand {
    /// Under /tmp, as the script has it: the user postgres must reach it.
    fn new() -> Stand {
        Stand(PathBuf::from(format!("/tmp/livesouk-stand-test-{:016x}", rand::random::<u64>())))
    }

    fn up(&self) {
        let up = self.say("up");
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

    /// The host's door in to a show of theirs that is live, and the show.
    async fn show(&self, at: &str) -> (Rest, String) {
        let key = std::fs::read_to_string(self.0.join("auth-key")).unwrap();
        let host = Rest::new(at).with_token(&sign(&key, "h", "host", 600));
        let stream = id(&host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
        host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
        (host, stream)
    }

    async fn live(&self, at: &str, stream: &str, who: &str) -> Live {
        let key = std::fs::read_to_string(self.0.join("auth-key")).unwrap();
        Live::connect(at, stream, Some(&sign(&key, who, "viewer", 600))).await
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.say("down");
    }
}

fn code(of: &Output) -> Option<i32> {
    of.status.code()
}

#[tokio::test]
async fn the_stand_is_one_shop_on_two_nodes_and_leaves_nothing_behind() {
    let stand = Stand::new();
    assert_eq!(code(&stand.say("status")), Some(1), "nothing is up yet");
    stand.up();
    assert_eq!(code(&stand.say("status")), Some(0));
    assert_eq!(code(&stand.say("up")), Some(2), "twice is refused");

    let nodes = stand.addresses("Nodes");
    let (_host, stream) = stand.show(&nodes[0]).await;
    let mut here = stand.live(&nodes[0], &stream, "ann").await;
    let mut there = Live::connect(&nodes[1], &stream, None).await;
    here.ask(json!({"do": "say", "text": "across"})).await.unwrap();
    there.event("talk from the other node", SOON, |event| event["text"] == "across").await;
    for metrics in stand.addresses("Metrics") {
        let page = Rest::new(metrics.trim_end_matches("/metrics")).get("/metrics").await;
        assert!(page.body.as_str().is_some_and(|text| text.contains("livesouk_bus_shards_up 1")), "{page:?}");
    }

    let pids = ["postgres", "redis", "node-a", "node-b", "proxy"].map(|name| stand.pid(name));
    assert_eq!(code(&stand.say("down")), Some(0));
    assert!(!stand.0.exists());
    for pid in pids {
        // One that has ended and that nobody has asked about yet has a file there too.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
        assert!(matches!(state, None | Some(Some('Z' | 'X'))), "{pid} still runs: {stat}");
    }
    assert_eq!(code(&stand.say("down")), Some(0), "twice is once");
}

/// The configuration of the proxy that is handed out, in a real HAProxy before two real nodes.
#[tokio::test]
async fn through_the_door_a_shop_outlives_redis_and_a_node() {
    let stand = Stand::new();
    stand.up();
    let door = stand.addresses("Shop").remove(0);
    let (host, stream) = stand.show(&door).await;
    let mut viewers = Vec::new();
    for who in ["ann", "bob", "cem", "dan"] {
        viewers.push(stand.live(&door, &stream, who).await);
    }
    viewers[0].ask(json!({"do": "say", "text": "through the door"})).await.unwrap();
    for viewer in &mut viewers {
        viewer.event("talk", SOON, |event| event["text"] == "through the door").await;
    }
    for node in stand.addresses("Metrics") {
        let page = Rest::new(node.trim_end_matches("/metrics")).get("/metrics").await.body;
        assert!(page.as_str().is_some_and(|page| page.contains("\nlivesouk_connections 2\n")), "{page}");
    }
    assert_eq!(host.get("/metrics").await.status, 404, "the numbers are not for everybody");

    stand.kill("redis");
    for node in stand.addresses("Nodes") {
        let rest = Rest::new(&node);
        until_some("node that does not hear Redis", SOON, async || {
            (rest.get("/readyz").await.status == 503).then_some(())
        })
        .await;
    }
    // Long enough for the proxy to have looked three times.
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        let show = host.get(&format!("/v1/streams/{stream}")).await;
        assert_eq!(show.status, 200, "without Redis the shop goes on, and the proxy must not take it away: {show:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    viewers.push(stand.live(&door, &stream, "eve").await);

    stand.kill("node-a");
    let mut served = 0;
    until_some("node that is left", SOON, async || {
        let fine = host.try_send(reqwest::Method::GET, &format!("/v1/streams/{stream}"), &[], None).await;
        served = if fine.is_ok_and(|answer| answer.status == 200) { served + 1 } else { 0 };
        (served == 20).then_some(())
    })
    .await;
    stand.live(&door, &stream, "fay").await;
}
