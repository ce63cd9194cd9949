//! The speed of the viewer page on a slow phone: real Chromium with its processor slowed down four times, compared with
//! a naive page in the same stream.
//!
//!   cargo bench --bench page                     five rounds and ten minutes of memory, about fifteen minutes
//!   cargo bench --bench page -- --quick          one round and three minutes
//!   BENCH_ROUNDS=3 BENCH_MINUTES=5 cargo bench --bench page
//!
//! A round opens the page with an empty cache over a slow network (1.6 Mbit/s, 150 ms), through Caddy with HTTP/2, and waits until it is
//! live, and until it is usable: Buy can be pressed, and every file that a purchase needs has arrived. What was loaded by then is counted,
//! and how far its layout shifted. `http1_usable_s` is the same page without a proxy: over HTTP/1.1, a browser asks for six files at a time.
//! Then 200 chat messages per second and 10,000 reactions per minute come in for ten seconds, and the frames that the page draws are
//! counted. The same follows for the naive page. At the end, one page stays open under this load, and the size of its heap after a garbage
//! collection is read every minute. Server, proxy, load test and browser share the machine.
//!
//! The exit code is 1 if a figure misses its limit (`testkit::page_limits`).

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot continue panics and says where")]

mod load;
mod storm;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use load::{OBSERVER_SCRIPT, loaded, slow_network};
use storm::ChatStorm;
use testkit::bench_servers::{LIMITS_OFF, LIMITS_OFF_NOTE};
use testkit::browser::driver::Driver;
use testkit::browser::{Browser, SOON, Window};
use testkit::page_limits::{heap_growth, missed};
use testkit::process::Server;
use testkit::web_proxy::WebProxy;

/// How many times slower the phone's processor is than that of this machine.
const SLOWDOWN: u32 = 4;
const MEASURED_TIME: Duration = Duration::from_secs(10);
/// The page and the load need a moment until the first frames are typical.
const WARM_UP: Duration = Duration::from_secs(3);

/// A naive page: a socket, an element for each message and for each reaction, always scrolled down.
const NAIVE_PAGE_SCRIPT: &str = r"
const stream = arguments[0];
const style = new CSSStyleSheet();
style.replaceSync('li { padding: 4px } .heart { position: fixed; bottom: 0; transition: transform 2s }');
document.adoptedStyleSheets = [style];
const list = document.createElement('ul');
document.body.replaceChildren(list);
let likes = null;
const socket = window.chat = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/v1/streams/${stream}/live`);
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  for (const event of frame.events ?? []) {
    if (event.type !== 'chat') continue;
    const line = document.createElement('li');
    line.textContent = `${event.from.name}: ${event.text}`;
    list.append(line);
    line.scrollIntoView();
  }
  const now = frame.state?.likes;
  if (now === undefined) return;
  for (let i = likes ?? now; i < now; i++) {
    const heart = document.createElement('span');
    heart.className = 'heart';
    heart.textContent = '❤';
    heart.style.left = `${Math.random() * 100}%`;
    document.body.append(heart);
    requestAnimationFrame(() => { heart.style.transform = 'translateY(-400px)'; });
    setTimeout(() => heart.remove(), 2000);
  }
  likes = now;
};";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = from_env("BENCH_ROUNDS", if is_quick { 1 } else { 5 });
    // One minute says nothing of growth.
    let minutes = from_env("BENCH_MINUTES", if is_quick { 3 } else { 10 }).max(3);
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let listen = WebProxy::address();
    let base = format!("https://{listen}");
    let own = ["--chat-per-second", "0", "--room-chat-per-second", "0", "--log", "error", "--base-url", &base];
    let mut server = Server::demo_in(folder, &[&LIMITS_OFF[..], &own].concat()).await;
    let _caddy = WebProxy::caddy(&listen, server.address()).await;
    let driver = Driver::start();
    let mut results = PageResults::default();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        let page = open_watch_page(&driver, &base, &server).await;
        for (name, value) in loaded(&page).await {
            results.record(name, value);
        }
        let direct = open_watch_page(&driver, &server.url, &server).await;
        let of_http1 = loaded(&direct).await.into_iter().find(|(name, _)| *name == "usable_s");
        results.record("http1_usable_s", of_http1.expect("the figure").1);
        direct.close().await;
        let load = ChatStorm::start(&server).await;
        let (livesouk, work) = tokio::join!(measure_frames(&page), measure_work(&page));
        page.close().await;
        // An empty page of the same origin: only the naive script runs.
        let naive = open_phone(&driver).await;
        naive.goto(&format!("{base}/healthz")).await;
        naive.script(NAIVE_PAGE_SCRIPT, &[json!(server.stream())]).await;
        let naive_rate = measure_frames(&naive).await;
        naive.close().await;
        load.end().await;
        results.record("frames_s", livesouk.per_s);
        results.record("slowest_frame_ms", livesouk.slowest_ms);
        for ((_, name), share) in WORK_METRICS.iter().zip(work) {
            results.record(name, share);
        }
        results.record("naive_frames_s", naive_rate.per_s);
        results.record("naive_slowest_frame_ms", naive_rate.slowest_ms);
        results.record("frames_vs_naive", livesouk.per_s / naive_rate.per_s);
    }
    let memory = measure_memory(&driver, &base, &server, minutes).await;
    server.stop().await;
    println!("{LIMITS_OFF_NOTE}");
    results.print();
    println!("{:<26}{}", "heap_kib by minute", memory.iter().map(|kib| format!("{kib:8.0}")).collect::<String>());
    println!("ratio frames_vs_naive {:.2}", results.median("frames_vs_naive"));
    let names = ["live_s", "usable_s", "page_kb", "request_depth", "layout_shift", "frames_s"];
    let mut figures: Vec<(&str, f64)> = names.iter().map(|name| (*name, results.median(name))).collect();
    figures.push(("heap_last_vs_second_minute", heap_growth(&memory)));
    for (name, value) in &figures {
        println!("figure {name} {value:.3}");
    }
    let missed = missed(&figures);
    for line in &missed {
        println!("missed: {line}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A phone with an empty cache, a slow processor and a slow network.
async fn open_phone(driver: &Driver) -> Browser {
    let browser = Browser::open_with_arguments(driver, Window::Mobile, "en", &["--ignore-certificate-errors"]).await;
    browser.devtools("Emulation.setCPUThrottlingRate", json!({"rate": SLOWDOWN})).await;
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": OBSERVER_SCRIPT})).await;
    browser.devtools("Performance.enable", json!({})).await;
    browser.devtools("Network.enable", json!({})).await;
    browser.devtools("Network.emulateNetworkConditions", slow_network()).await;
    browser
}

async fn open_watch_page(driver: &Driver, base: &str, server: &Server) -> Browser {
    let browser = open_phone(driver).await;
    browser.goto(&format!("{base}/watch?stream={}", server.stream())).await;
    browser.until("a usable page", "window.seen?.usable", SOON).await;
    browser
}

/// The frames that were drawn under load.
struct FrameRate {
    per_s: f64,
    slowest_ms: f64,
}

/// Chromium's metrics, and their names here.
const WORK_METRICS: [(&str, &str); 4] = [
    ("TaskDuration", "busy_share"),
    ("ScriptDuration", "script_share"),
    ("RecalcStyleDuration", "style_share"),
    ("LayoutDuration", "layout_share"),
];

/// The page counts by itself, so that a page that is too busy to answer is not counted longer than the other.
const COUNT_SCRIPT: &str = r"
const [warm_up, load] = arguments;
setTimeout(() => {
  Object.assign(seen, { frames: 0, slowest: 0, from: performance.now() });
  setTimeout(() => {
    seen.counted = [seen.frames, seen.slowest, performance.now() - seen.from, document.querySelectorAll('li').length];
    window.chat?.close();
  }, load);
}, warm_up);";

async fn measure_frames(page: &Browser) -> FrameRate {
    page.script(COUNT_SCRIPT, &[json!(WARM_UP.as_millis() as u64), json!(MEASURED_TIME.as_millis() as u64)]).await;
    tokio::time::sleep(WARM_UP + MEASURED_TIME).await;
    let counted = page.until("the count", "seen.counted", 12 * MEASURED_TIME).await;
    let [drawn, slowest_ms, passed_ms, lines] = std::array::from_fn(|index| counted[index].as_f64().unwrap());
    assert!(lines > 100.0, "the page did not draw the chat load: {lines} lines");
    FrameRate { per_s: drawn * 1_000.0 / passed_ms, slowest_ms }
}

/// The share of time in which the page's main thread works, in total and by kind of work.
async fn measure_work(page: &Browser) -> [f64; 4] {
    tokio::time::sleep(WARM_UP).await;
    let before = work_totals(page).await;
    tokio::time::sleep(MEASURED_TIME).await;
    let after = work_totals(page).await;
    std::array::from_fn(|kind| (after[kind + 1] - before[kind + 1]) / (after[0] - before[0]))
}

/// The page's clock and its work until now, in seconds.
async fn work_totals(page: &Browser) -> [f64; 5] {
    let mut seen = [metric(page, "Timestamp").await, 0.0, 0.0, 0.0, 0.0];
    for (kind, (metric_name, _)) in WORK_METRICS.iter().enumerate() {
        seen[kind + 1] = metric(page, metric_name).await;
    }
    seen
}

async fn metric(page: &Browser, name: &str) -> f64 {
    let all = page.devtools("Performance.getMetrics", json!({})).await;
    let found = all["metrics"].as_array().into_iter().flatten().find(|metric| metric["name"] == name).cloned();
    found.and_then(|metric: Value| metric["value"].as_f64()).unwrap_or_else(|| panic!("no metric {name} in {all}"))
}

/// The size of the heap after a garbage collection, each minute, in KiB.
async fn measure_memory(driver: &Driver, base: &str, server: &Server, minutes: u64) -> Vec<f64> {
    let page = open_watch_page(driver, base, server).await;
    let load = ChatStorm::start(server).await;
    let mut heap_kib = Vec::new();
    for minute in 1..=minutes {
        tokio::time::sleep(Duration::from_secs(60)).await;
        page.devtools("HeapProfiler.collectGarbage", json!({})).await;
        heap_kib.push(metric(&page, "JSHeapUsedSize").await / 1_024.0);
        eprintln!("minute {minute}: {:.0} KiB, {} nodes", heap_kib[heap_kib.len() - 1], metric(&page, "Nodes").await);
    }
    load.end().await;
    page.close().await;
    heap_kib
}

/// The results by name, one value for each round.
#[derive(Default)]
struct PageResults(Vec<(&'static str, Vec<f64>)>);

impl PageResults {
    fn record(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    fn median(&self, name: &str) -> f64 {
        let mut values = self.0.iter().find(|(known, _)| *known == name).expect("a recorded figure").1.clone();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    fn print(&self) {
        for (name, values) in &self.0 {
            println!("{name:<26}{}", values.iter().map(|value| format!("{value:8.2}")).collect::<String>());
        }
    }
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
}
