//! How the page loads over a slow network: when it is live, when it is usable, what it loaded, and how far its layout shifted.

use serde_json::{Value, json};
use testkit::browser::Browser;

/// 1.6 Mbit/s down, 750 kbit/s up, 150 ms for each round trip.
pub fn slow_network() -> Value {
    json!({"offline": false, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750})
}

/// Records when the page is live and usable, adds up the shifts of its layout, and counts frames.
///
/// Live: connected, with the pinned card and the chat field on the screen. Usable: Buy can be pressed, and the files that the page
/// names have arrived, among them all that a purchase needs.
pub const OBSERVER_SCRIPT: &str = r"
window.seen = { live: null, usable: null, shift: 0, frames: 0, slowest: 0 };
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput && !seen.usable) seen.shift += shift.value;
}).observe({ type: 'layout-shift', buffered: true });
let last = performance.now();
(function observe(now) {
  seen.frames++;
  seen.slowest = Math.max(seen.slowest, now - last);
  last = now;
  const named = (name) => document.querySelector(`[data-test=${name}]`);
  const isVisible = (name) => named(name)?.checkVisibility();
  if (!seen.live && named('conn')?.dataset.status === 'live' && isVisible('card-title') && isVisible('chat-input')) {
    seen.live = performance.now();
  }
  const isHere = ({ href }) => performance.getEntriesByName(href).length > 0;
  if (seen.live && !seen.usable && !named('card-buy').disabled && [...document.querySelectorAll('[rel=modulepreload]')].every(isHere)) {
    seen.usable = performance.now();
    seen.loaded = performance.getEntriesByType('resource').map(({ name, initiatorType, startTime, responseEnd, encodedBodySize }) =>
      ({ name, kind: initiatorType, from: startTime, to: responseEnd, size: encodedBodySize }));
    const [page] = performance.getEntriesByType('navigation');
    seen.loaded.push({ name: page.name, kind: 'page', from: 0, to: page.responseStart, size: page.encodedBodySize });
  }
  requestAnimationFrame(observe);
})(performance.now());";

/// The figures of a page that is usable. Pictures and the video are no part of the page's weight, and nothing waits for them.
pub async fn loaded(page: &Browser) -> [(&'static str, f64); 5] {
    let seen = page.script("return seen", &[]).await;
    let ms = |name: &str| seen[name].as_f64().expect("a time");
    let all = seen["loaded"].as_array().expect("the resources");
    let parts: Vec<&Value> =
        all.iter().filter(|it| !["img", "video", "css"].contains(&it["kind"].as_str().unwrap_or(""))).collect();
    let bytes: f64 = parts.iter().filter_map(|it| it["size"].as_f64()).sum();
    assert!(parts.len() > 40 && bytes > 30_000.0, "the page names its files: {seen}");
    [
        ("live_s", ms("live") / 1_000.0),
        ("usable_s", ms("usable") / 1_000.0),
        ("page_kb", bytes / 1_000.0),
        ("request_depth", depth(&parts) as f64),
        ("layout_shift", ms("shift")),
    ]
}

/// The longest chain of requests of which each could begin only when the one before it had arrived.
fn depth(parts: &[&Value]) -> usize {
    let time = |it: &Value, name: &str| it[name].as_f64().unwrap_or_default();
    let mut ordered = parts.to_vec();
    ordered.sort_by(|a, b| time(a, "from").total_cmp(&time(b, "from")));
    let mut depths: Vec<(f64, usize)> = Vec::new();
    for part in ordered {
        let before = depths.iter().filter(|(to, _)| *to <= time(part, "from")).map(|(_, depth)| *depth).max();
        depths.push((time(part, "to"), before.unwrap_or(0) + 1));
    }
    depths.into_iter().map(|(_, depth)| depth).max().unwrap_or(0)
}
