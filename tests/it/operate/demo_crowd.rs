//! The life with which a demo opens: simulated viewers and a video.

use std::time::Duration;

use serde_json::Value;

use crate::support::SOON;
use crate::support::process::Process;
use crate::support::rest::Rest;
use crate::support::socket::Live;

const SHOW: &str = "/watch?stream=";
/// A demo opens with a few lines, and then says something every few seconds.
const TALK: Duration = Duration::from_secs(60);

/// A demo as somebody starts it who only wants to see it.
struct Demo {
    _process: Process,
    url: String,
    stream: String,
    host: Rest,
}

impl Demo {
    async fn start(folder: &std::path::Path, more: &[&str]) -> Demo {
        let args = ["demo", "--listen", "127.0.0.1:0", "--data", "data"];
        let mut process = Process::livesouk(&[&args, more].concat(), folder);
        let link =
            |name: &'static str| move |line: &str| line.trim().strip_prefix(name).map(|link| link.trim().to_owned());
        let viewer = process.line("address for viewers", SOON, link("Viewer ")).await;
        let host = process.line("address for the host", SOON, link("Host ")).await;
        let (url, stream) = viewer.split_once(SHOW).unwrap();
        let (_, token) = host.split_once("#token=").unwrap();
        let host = Rest::new(url).with_token(token);
        Demo { _process: process, url: url.to_owned(), stream: stream.to_owned(), host }
    }

    async fn report(&self) -> Value {
        self.host.get(&format!("/v1/streams/{}/report", self.stream)).await.expect(200)
    }
}

fn is_marked(name: &Value) -> bool {
    let name = name.as_str().unwrap_or_default();
    name.ends_with("(demo)") || name.ends_with("(تجريبي)")
}

#[tokio::test]
async fn demo_opens_with_marked_viewers_who_are_in_no_figure() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path(), &[]).await;
    let mut viewer = Live::connect(&demo.url, &demo.stream, None).await;
    let of_crowd = |event: &Value| event["type"] == "chat" && is_marked(&event["from"]["name"]);
    let has_opened = viewer.hello["events"].as_array().unwrap().iter().any(of_crowd);
    if !has_opened {
        viewer.event("message of a simulated viewer", TALK, of_crowd).await;
    }
    viewer.event("another message", TALK, of_crowd).await;
    // Hearts are shown; they are in no figure.
    viewer.until_state("hearts of simulated viewers", TALK * 2, |state| state["likes"].as_i64() > Some(0)).await;
    let report = demo.report().await;
    for figure in ["messages", "likes", "orders_held", "orders_paid", "units_paid", "amount_paid"] {
        assert_eq!(report[figure], 0, "{figure}");
    }
    viewer.until_state("the number of viewers", SOON, |state| state["viewers"] == 1).await;

    let shop = demo.host.get(&format!("/v1/streams/{}", demo.stream)).await.expect(200);
    assert_eq!(shop["video"], "/assets/demo/show.mp4");
    let rest = Rest::new(&demo.url);
    let video = reqwest::get(format!("{}/assets/demo/show.mp4", demo.url)).await.unwrap();
    assert_eq!(video.headers()["content-type"], "video/mp4");
    let size = video.bytes().await.unwrap().len();
    assert!(size > 50_000 && size <= 400_000, "{size} bytes");
    let part = [("range", "bytes=0-1")];
    let part = rest.send(reqwest::Method::GET, "/assets/demo/show.mp4", &part, None).await;
    assert_eq!((part.status, part.header("content-range")), (206, Some(format!("bytes 0-1/{size}").as_str())));
}

#[tokio::test]
async fn demo_for_scripts_and_demo_without_crowd_are_quiet() {
    let runs_crowd = async |host: &Rest| {
        let page = host.get("/metrics").await;
        let page = page.expect(200);
        page.as_str().unwrap().contains("job_name=\"demo_crowd\"")
    };
    let folder = tempfile::tempdir().unwrap();
    let lively = Demo::start(folder.path(), &[]).await;
    assert!(runs_crowd(&lively.host).await, "the metrics name the job");
    let folder = tempfile::tempdir().unwrap();
    let quiet = Demo::start(folder.path(), &["--no-crowd"]).await;
    assert!(!runs_crowd(&quiet.host).await);
    let show = quiet.host.get(&format!("/v1/streams/{}", quiet.stream)).await.expect(200);
    assert_eq!(show["video"], Value::Null);
    let folder = tempfile::tempdir().unwrap();
    let mut for_scripts = Process::livesouk(&["demo", "--json", "--listen", "127.0.0.1:0"], folder.path());
    let started: Value = for_scripts.line("line of JSON", SOON, |line| serde_json::from_str(line).ok()).await;
    let text = |name: &str| started[name].as_str().unwrap().to_owned();
    let host = Rest::new(&format!("http://{}", text("listen"))).with_token(&text("host_token"));
    assert!(!runs_crowd(&host).await);
}
