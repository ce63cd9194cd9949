//! Watchers on every node: a version has the same stock count for every viewer, and no older count comes after a newer
//! one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::journal::TextId;
use crate::live_connection::{self, ConnectionEnd};
use crate::oracle::PromiseViolation;
use crate::run_context::RunContext;

type CountVersion = (i64, i64);

/// The counts that all observers have seen together.
#[derive(Debug, Default)]
pub struct ObservedCounts(Mutex<HashMap<(TextId, CountVersion), ObservedCount>>);

#[derive(Debug, Clone, PartialEq)]
struct ObservedCount {
    left: i64,
    quantity: i64,
    by: String,
}

impl ObservedCounts {
    /// Records an observed count. It is a violation when this version was seen with another count.
    pub fn record(
        &self,
        offer: &TextId,
        version: CountVersion,
        left: i64,
        quantity: i64,
        by: &str,
    ) -> Result<(), PromiseViolation> {
        let mut shown = self.0.lock().unwrap();
        let now = ObservedCount { left, quantity, by: by.to_owned() };
        let first = shown.entry((offer.clone(), version)).or_insert_with(|| now.clone());
        if (first.left, first.quantity) == (left, quantity) {
            return Ok(());
        }
        Err(PromiseViolation::new(
            "one version, one count",
            format!("offer {offer} at {version:?}: {first:?}, and {now:?}"),
        ))
    }

    /// The number of different counts that were seen.
    pub fn seen(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// What a viewer of a node has on the screen.
#[derive(Debug, Default)]
pub struct WatcherScreen(Mutex<HashMap<TextId, CountVersion>>);

impl WatcherScreen {
    pub fn shown(&self) -> HashMap<TextId, CountVersion> {
        self.0.lock().unwrap().clone()
    }

    /// The end of a sale is sent once. After that, its holds concern only their buyers.
    fn set(&self, offer: &TextId, version: CountVersion, is_over: bool) {
        let mut shown = self.0.lock().unwrap();
        if is_over {
            shown.remove(offer)
        } else {
            shown.insert(offer.clone(), version)
        };
    }
}

/// Watches one node until the observers stop, and reconnects whenever the connection ends.
pub async fn watch(context: Arc<RunContext>, counts: Arc<ObservedCounts>, screen: Arc<WatcherScreen>, node: usize) {
    let mut watcher = CountWatcher { name: format!("watcher at node {node}"), newest: HashMap::new(), screen };
    while !context.unwatched.is_cancelled() {
        tokio::select! {
            ended = watcher.watch_connection(&context, &counts, node) => {
                if let ConnectionEnd::ProtocolViolation(what) = ended {
                    context.record_violation(PromiseViolation::new("no silent gap", format!("{}: {what}", watcher.name)));
                }
            }
            () = context.unwatched.cancelled() => return,
        }
        sleep(Duration::from_millis(200)).await;
    }
}

struct CountWatcher {
    name: String,
    newest: HashMap<TextId, (CountVersion, i64)>,
    screen: Arc<WatcherScreen>,
}

impl CountWatcher {
    async fn watch_connection(&mut self, context: &RunContext, counts: &ObservedCounts, node: usize) -> ConnectionEnd {
        let (mut line, hello) = match live_connection::join(&context.urls[node], &context.stream, None).await {
            Ok(joined) => joined,
            Err(ended) => return ended,
        };
        self.apply_frame(context, counts, &hello);
        loop {
            match live_connection::next_for_viewer(&mut line).await {
                Ok(frame) => self.apply_frame(context, counts, &frame),
                Err(ended) => return ended,
            }
        }
    }

    fn apply_frame(&mut self, context: &RunContext, counts: &ObservedCounts, frame: &Value) {
        // These frames bring the whole state; an offer that they do not bring is not on the screen any more.
        if frame["t"] == "hello" || frame["t"] == "snapshot" {
            self.screen.0.lock().unwrap().clear();
        }
        for offer in frame["state"]["offers"].as_object().into_iter().flat_map(|offers| offers.values()) {
            let Some((id, version, left, quantity)) = parse_offer(offer) else {
                context.record_violation(PromiseViolation::new(
                    "one version, one count",
                    format!("an offer without its count: {offer}"),
                ));
                continue;
            };
            if let Some((newest, then)) = self.newest.get(&id).filter(|(newest, _)| version < *newest) {
                let what = format!(
                    "{}: offer {id} went from {newest:?} ({then} left) back to {version:?} ({left} left)",
                    self.name
                );
                context.record_violation(PromiseViolation::new("counts move forward", what));
                continue;
            }
            self.newest.insert(id.clone(), (version, left));
            self.screen.set(&id, version, offer["status"] == "closed");
            if let Err(violation) = counts.record(&id, version, left, quantity, &self.name) {
                context.record_violation(violation);
            }
        }
    }
}

fn parse_offer(offer: &Value) -> Option<(TextId, CountVersion, i64, i64)> {
    let version = (offer["v"][0].as_i64()?, offer["v"][1].as_i64()?);
    Some((offer["id"].as_str()?.into(), version, offer["left"].as_i64()?, offer["quantity"].as_i64()?))
}
