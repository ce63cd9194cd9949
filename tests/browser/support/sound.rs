//! What every screen must be, whatever it shows: nothing clipped, covered, too small, unreadable or jumping.

use serde_json::{Value, json};

use super::browser::{Browser, Window};

const MEASURE: &str = include_str!("sound.js");

/// Accessibility rules that a machine can check; serious and critical ones count.
const AXE: &str = r"
const done = arguments[arguments.length - 1];
const only = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
axe.run(document, { runOnly: only, resultTypes: ['violations'] }).then(({ violations }) => done(
  violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map(({ target, any }) => `${id}: ${help}: ${target.join(' ')} ${any[0]?.message ?? ''}`))),
  (fault) => done([String(fault)]));";

/// How far things moved by themselves since the page was opened, as browsers score it; see web.dev/cls.
const JUMPS: &str = r"
const done = arguments[arguments.length - 1];
const moved = [];
const watch = new PerformanceObserver((list) => moved.push(...list.getEntries().filter((it) => !it.hadRecentInput)));
watch.observe({ type: 'layout-shift', buffered: true });
setTimeout(() => { watch.disconnect(); done(moved.map(({ value, sources }) =>
  ({ value, what: sources.map(({ node }) => node?.id || node?.className || node?.nodeName).join(', ') }))); }, 60);";

/// More than this is felt as a jump.
const JUMPS_MAX: f64 = 0.1;

impl Browser {
    /// What is wrong with what is on the screen now; nothing is well. `jumps` also looks back to the opening of the page.
    pub async fn faults(&self, window: Window, jumps: bool) -> Vec<String> {
        let lines = |found: Value| -> Vec<String> {
            found.as_array().into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
        };
        let mut faults = lines(self.script(MEASURE, &[json!(window == Window::Mobile)]).await);
        if self.script("return typeof axe", &[]).await == json!("undefined") {
            self.script(&axe(), &[]).await;
        }
        faults.extend(lines(self.script_async(AXE).await));
        if jumps {
            let moved = self.script_async(JUMPS).await;
            let moved: Vec<&Value> = moved.as_array().into_iter().flatten().collect();
            if moved.iter().filter_map(|it| it["value"].as_f64()).sum::<f64>() > JUMPS_MAX {
                faults.push(format!("things jump: {moved:?}"));
            }
        }
        let expected = ["net::ERR_", "WebSocket", "status of 40"];
        let errors = self.errors().await.into_iter();
        faults.extend(errors.filter(|line| !expected.iter().any(|it| line.contains(it))));
        faults
    }
}

/// The text of axe-core, which `scripts/test` fetches.
fn axe() -> String {
    let path =
        std::env::var("LIVESOUK_TEST_AXE").expect("LIVESOUK_TEST_AXE names axe-core's axe.min.js; see scripts/test");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
