//! `scripts/stand`: two nodes that are one shop, up and down again without a trace.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::support::SOON;
use crate::support::rest::Rest;
use crate::support::shop::{id, sign};
use crate::support::socket::Live;

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
    // Under /tmp, as the script has it: the user postgres must reach it.
    let stand = Stand(PathBuf::from(format!("/tmp/livesouk-stand-test-{:016x}", rand::random::<u64>())));
    assert_eq!(code(&stand.say("status")), Some(1), "nothing is up yet");
    let up = stand.say("up");
    assert_eq!(code(&up), Some(0), "{}", String::from_utf8_lossy(&up.stderr));
    assert_eq!(code(&stand.say("status")), Some(0));
    assert_eq!(code(&stand.say("up")), Some(2), "twice is refused");

    let key = std::fs::read_to_string(stand.0.join("auth-key")).unwrap();
    let nodes = stand.addresses("Nodes");
    let host = Rest::new(&nodes[0]).with_token(&sign(&key, "h", "host", 600));
    let stream = id(&host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
    host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
    let mut here = Live::connect(&nodes[0], &stream, Some(&sign(&key, "ann", "viewer", 600))).await;
    let mut there = Live::connect(&nodes[1], &stream, None).await;
    here.ask(json!({"do": "say", "text": "across"})).await.unwrap();
    there.event("talk from the other node", SOON, |event| event["text"] == "across").await;
    for metrics in stand.addresses("Metrics") {
        let page = Rest::new(metrics.trim_end_matches("/metrics")).get("/metrics").await;
        assert!(page.body.as_str().is_some_and(|text| text.contains("livesouk_bus_shards_up 1")), "{page:?}");
    }

    let pids: Vec<String> = ["postgres", "redis", "node-a", "node-b"]
        .map(|name| std::fs::read_to_string(stand.0.join("run").join(name)).unwrap())
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .to_vec();
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
