//! How many watch, as each node shows it, beside how many do.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::board::Board;
use crate::crowd::Crowd;
use crate::journal::Millis;
use crate::line::Line;
use crate::oracle::{Breach, STARVED};
use crate::town::Town;

const EVERY: Duration = Duration::from_millis(200);
/// Buyers come and go by the socket, and who comes or goes is counted two seconds later.
const TOLERANCE: i64 = 12;
/// The promise, and what we are late to look.
const WRONG_MAX_MS: Millis = 10_000 + 500;
/// After the bus is back: two seconds until each node has written, two until it has read, one until it is told.
const AFTER_THE_BUS_MS: Millis = 5_000;

/// Somebody who only watches one node.
#[derive(Debug, Default)]
pub struct Eye(Mutex<Option<Value>>);

impl Eye {
    /// A value of the state lane as this node showed it last; `None` while there is no link.
    pub fn state(&self, key: &str) -> Option<Value> {
        self.0.lock().unwrap().as_ref().map(|state| state[key].clone())
    }

    fn see(&self, frame: &Value) {
        let mut seen = self.0.lock().unwrap();
        let state = seen.get_or_insert_with(|| Value::Object(Default::default()));
        for key in ["viewers", "pin"] {
            if let Some(value) = frame["state"].get(key) {
                state[key] = value.clone();
            }
        }
    }
}

pub async fn watch(board: Arc<Board>, eye: Arc<Eye>, node: usize) {
    let watching = async {
        loop {
            if let Ok((mut line, hello)) = Line::open(&board.urls[node], &board.stream, None).await {
                eye.see(&hello);
                while let Ok(frame) = line.watch().await {
                    eye.see(&frame);
                }
                *eye.0.lock().unwrap() = None;
            }
            sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = board.over.cancelled() => {}
    }
}

/// How many there are now, and how many each node shows that can be seen.
pub fn counts(crowd: &Crowd, eyes: &[Arc<Eye>]) -> (i64, Vec<Option<i64>>) {
    let shown: Vec<Option<i64>> =
        eyes.iter().map(|eye| eye.state("viewers").and_then(|value| value.as_i64())).collect();
    let watching = shown.iter().flatten().count() as i64;
    (crowd.here.load(Ordering::SeqCst) + watching, shown)
}

pub fn is_right(there: i64, shown: Option<i64>) -> bool {
    shown.is_some_and(|shown| (shown - there).abs() <= TOLERANCE)
}

/// Counts until the run is over; gives the longest time for which a node was wrong with nothing the matter with the bus.
pub async fn count(town: Arc<Town>, crowd: Arc<Crowd>, eyes: Vec<Arc<Eye>>, longest: Arc<Mutex<Millis>>) {
    let board = crowd.board.clone();
    let mut wrong_since: Vec<Option<Millis>> = vec![None; eyes.len()];
    while !board.over.is_cancelled() {
        let now = board.now();
        let near = |from: Millis, to: Millis| from <= now && now <= to.saturating_add(AFTER_THE_BUS_MS);
        let excused = town.outages().iter().any(|outage| near(outage.from, outage.to))
            || town.stand.windows().iter().any(|window| window.fault == STARVED && near(window.from, window.to));
        let (there, shown) = counts(&crowd, &eyes);
        for (node, shown) in shown.into_iter().enumerate() {
            if excused || shown.is_none() || is_right(there, shown) {
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
                board.breach(Breach::new("the count of viewers is right", what));
            }
        }
        sleep(EVERY).await;
    }
}
