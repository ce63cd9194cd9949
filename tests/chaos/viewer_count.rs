//! The number of viewers as each node shows it, compared with the actual number.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::cluster::ChaosCluster;
use crate::journal::Millis;
use crate::live_connection;
use crate::oracle::{PromiseViolation, STARVED};
use crate::run_context::RunContext;
use crate::viewer_group::ViewerGroup;

const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// Buyers connect and leave by the socket, and a node counts that two seconds later.
const TOLERANCE: i64 = 12;
/// The promised limit, plus our own delay in looking.
const WRONG_MAX_MS: Millis = 10_000 + 500;
/// After the broker link is back: two seconds until each node has written its count, two until it has read the others,
/// and one until viewers receive it.
const AFTER_OUTAGE_MS: Millis = 5_000;

/// What a viewer of one node sees.
#[derive(Debug, Default)]
pub struct NodeView(Mutex<Option<Value>>);

impl NodeView {
    /// A value of the state lane as this node last sent it; `None` while there is no connection.
    pub fn state(&self, key: &str) -> Option<Value> {
        self.0.lock().unwrap().as_ref().map(|state| state[key].clone())
    }

    fn update(&self, frame: &Value) {
        let mut seen = self.0.lock().unwrap();
        let state = seen.get_or_insert_with(|| Value::Object(Default::default()));
        for key in ["viewers", "pin"] {
            if let Some(value) = frame["state"].get(key) {
                state[key] = value.clone();
            }
        }
    }
}

pub async fn watch(context: Arc<RunContext>, view: Arc<NodeView>, node: usize) {
    let watching = async {
        loop {
            if let Ok((mut line, hello)) = live_connection::join(&context.urls[node], &context.stream, None).await {
                view.update(&hello);
                while let Ok(frame) = live_connection::next_for_viewer(&mut line).await {
                    view.update(&frame);
                }
                *view.0.lock().unwrap() = None;
            }
            sleep(CHECK_INTERVAL).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = context.unwatched.cancelled() => {}
    }
}

/// The actual number of viewers, and the number that each connected node shows.
pub fn actual_and_shown(group: &ViewerGroup, views: &[Arc<NodeView>]) -> (i64, Vec<Option<i64>>) {
    let shown: Vec<Option<i64>> =
        views.iter().map(|view| view.state("viewers").and_then(|value| value.as_i64())).collect();
    let watching = shown.iter().flatten().count() as i64;
    (group.here.load(Ordering::SeqCst) + watching, shown)
}

pub fn is_within_tolerance(there: i64, shown: Option<i64>) -> bool {
    shown.is_some_and(|shown| (shown - there).abs() <= TOLERANCE)
}

/// Compares counts until the observers stop. Reports the longest time for which a node was wrong although the broker worked.
pub async fn count(
    cluster: Arc<ChaosCluster>,
    group: Arc<ViewerGroup>,
    views: Vec<Arc<NodeView>>,
    longest: Arc<Mutex<Millis>>,
) {
    let context = group.context.clone();
    let mut wrong_since: Vec<Option<Millis>> = vec![None; views.len()];
    while !context.unwatched.is_cancelled() {
        let now = context.now();
        let near = |from: Millis, to: Millis| from <= now && now <= to.saturating_add(AFTER_OUTAGE_MS);
        let excused = cluster.outages().iter().any(|outage| near(outage.from, outage.to))
            || cluster.injector.windows().iter().any(|window| window.fault == STARVED && near(window.from, window.to));
        let (there, shown) = actual_and_shown(&group, &views);
        for (node, shown) in shown.into_iter().enumerate() {
            if excused || shown.is_none() || is_within_tolerance(there, shown) {
                wrong_since[node] = None;
                continue;
            }
            let wrong_for = now - *wrong_since[node].get_or_insert(now);
            let mut longest = longest.lock().unwrap();
            *longest = wrong_for.max(*longest);
            if wrong_for > WRONG_MAX_MS {
                // Report it once, and again if it stays wrong.
                wrong_since[node] = Some(now);
                let what = format!("node {node} shows {shown:?}, {there} watch, for {wrong_for} ms at {now}");
                context.record_violation(PromiseViolation::new("the viewer count is correct", what));
            }
        }
        sleep(CHECK_INTERVAL).await;
    }
}
