//! The layout check of every screen: nothing is cut off, covered, too small to touch, unreadable or shifting.

use serde_json::{Value, json};

use super::{Browser, Window};

const MEASURE: &str = include_str!("layout_check.js");

/// Accessibility rules that a program can check; serious and critical violations count.
const AXE: &str = r"
const done = arguments[arguments.length - 1];
const only = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
axe.run(document, { runOnly: only, resultTypes: ['violations'] }).then(({ violations }) => done(
  violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map(({ target, any }) => `${id}: ${help}: ${target.join(' ')} ${any[0]?.message ?? ''}`))),
  (fault) => done([String(fault)]));";

/// The layout shifts since the page was opened, with the score that browsers give them; see web.dev/cls.
const LAYOUT_SHIFTS: &str = r"
const done = arguments[arguments.length - 1];
const moved = [];
const watch = new PerformanceObserver((list) => moved.push(...list.getEntries().filter((it) => !it.hadRecentInput)));
watch.observe({ type: 'layout-shift', buffered: true });
setTimeout(() => { watch.disconnect(); done(moved.map(({ value, sources }) =>
  ({ value, what: sources.map(({ node }) => node?.id || node?.className || node?.nodeName).join(', ') }))); }, 60);";

/// A user notices a layout shift with a higher score.
const LAYOUT_SHIFT_MAX: f64 = 0.02;

impl Browser {
    /// What is cut off, covered, too small to touch or scrolls sideways on the current screen, without the rules of axe-core.
    pub async fn layout_faults(&self, is_touch: bool) -> Vec<String> {
        lines(self.script(MEASURE, &[json!(is_touch)]).await)
    }

    /// The faults of the current screen; empty when there are none. `with_shifts` adds the layout shifts since the page was
    /// opened. Waits for animations first: a text that still fades in has too little contrast.
    pub async fn faults(&self, window: Window, with_shifts: bool) -> Vec<String> {
        self.settle().await;
        let mut faults = self.layout_faults(window == Window::Mobile).await;
        if self.script("return typeof axe", &[]).await == json!("undefined") {
            self.script(&axe(), &[]).await;
        }
        faults.extend(lines(self.script_async(AXE).await));
        if with_shifts {
            let moved = self.script_async(LAYOUT_SHIFTS).await;
            let moved: Vec<&Value> = moved.as_array().into_iter().flatten().collect();
            if moved.iter().filter_map(|it| it["value"].as_f64()).sum::<f64>() > LAYOUT_SHIFT_MAX {
                faults.push(format!("the layout shifts: {moved:?}"));
            }
        }
        let expected = ["net::ERR_", "WebSocket", "status of 40"];
        let errors = self.errors().await.into_iter();
        faults.extend(errors.filter(|line| !expected.iter().any(|it| line.contains(it))));
        faults
    }
}

fn lines(found: Value) -> Vec<String> {
    found.as_array().into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
}

/// The text of axe-core, which `scripts/test` fetches.
fn axe() -> String {
    let path =
        std::env::var("LIVESOUK_TEST_AXE").expect("LIVESOUK_TEST_AXE names axe-core's axe.min.js; see scripts/test");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
