//! How many watch, as each node shows it, beside how many do.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::cluster::ChaosCluster;
use crate::journal::Millis;
use crate::live_connection::LiveConnection;
use crate::oracle::{PromiseViolation, STARVED};
use crate::run_context::RunContext;
use crate::viewer_group::ViewerGroup;

const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// Buyers come and go by the socket, and who comes or goes is counted two seconds later.
const TOLERANCE: i64 = 12;
/// The promise, and what we are late to look.
const WRONG_MAX_MS: Millis = 10_000 + 500;
/// After the bus is back: two seconds until each node has written, two until it has read, one until it is told.
const AFTER_OUTAGE_MS: Millis = 5_000;

/// Somebody who only watches one node.
#[derive(Debug, Default)]
pub struct NodeView(Mutex<Option<Value>>);

impl NodeView {
    /// A value of the state lane as this node showed it last; `None` while there is no link.
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

pub async fn watch(board: Arc<RunContext>, eye: Arc<NodeView>, node: usize) {
    let watching = async {
        loop {
            if let Ok((mut line, hello)) = LiveConnection::open(&board.urls[node], &board.stream, None).await {
                eye.update(&hello);
                while let Ok(frame) = line.watch().await {
                    eye.update(&frame);
                }
                *eye.0.lock().unwrap() = None;
            }
            sleep(CHECK_INTERVAL).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = board.unwatched.cancelled() => {}
    }
}

/// How many there are now, and how many each node shows that can be seen.
pub fn actual_and_shown(crowd: &ViewerGroup, eyes: &[Arc<NodeView>]) -> (i64, Vec<Option<i64>>) {
    let shown: Vec<Option<i64>> =
        eyes.iter().map(|eye| eye.state("viewers").and_then(|value| value.as_i64())).collect();
    let watching = shown.iter().flatten().count() as i64;
    (crowd.here.load(Ordering::SeqCst) + watching, shown)
}

pub fn is_within_tolerance(there: i64, shown: Option<i64>) -> bool {
    shown.is_some_and(|shown| (shown - there).abs() <= TOLERANCE)
}

/// Counts until there is nothing left to see; gives the longest time for which a node was wrong with nothing the matter with the bus.
pub async fn count(
    town: Arc<ChaosCluster>,
    crowd: Arc<ViewerGroup>,
    eyes: Vec<Arc<NodeView>>,
    longest: Arc<Mutex<Millis>>,
) {
    let board = crowd.context.clone();
    let mut wrong_since: Vec<Option<Millis>> = vec![None; eyes.len()];
    while !board.unwatched.is_cancelled() {
        let now = board.now();
        let near = |from: Millis, to: Millis| from <= now && now <= to.saturating_add(AFTER_OUTAGE_MS);
        let excused = town.outages().iter().any(|outage| near(outage.from, outage.to))
            || town.injector.windows().iter().any(|window| window.fault == STARVED && near(window.from, window.to));
        let (there, shown) = actual_and_shown(&crowd, &eyes);
        for (node, shown) in shown.into_iter().enumerate() {
            if excused || shown.is_none() || is_within_tolerance(there, shown) {
                wrong_since[node] = None;
                continue;
            }
            let wrong_for = now - *wrong_since[node].get_or_insert(now);
            let mut longest = longest.lock().unwrap();
            *longest = wrong_for.max(*longest);
            if wrong_for > WRONG_MAX_MS {
                // Once, and again if it stays so.
                wrong_since[node] = Some(now);
                let what = format!("node {node} shows {shown:?}, {there} watch, for {wrong_for} ms at {now}");
                board.record_violation(PromiseViolation::new("the count of viewers is right", what));
            }
        }
        sleep(CHECK_INTERVAL).await;
    }
}
