//! Watchers on every node: each count they are shown is one count for everybody, and none comes after a newer one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::board::Board;
use crate::journal::Id;
use crate::line::{Ended, Line};
use crate::oracle::Breach;

type Version = (i64, i64);

/// What all observers saw of the counts, together.
#[derive(Debug, Default)]
pub struct Counts(Mutex<HashMap<(Id, Version), Shown>>);

#[derive(Debug, Clone, PartialEq)]
struct Shown {
    left: i64,
    quantity: i64,
    by: String,
}

impl Counts {
    /// Another look at an offer; wrong when somebody saw this version with another count.
    pub fn heed(&self, offer: &Id, version: Version, left: i64, quantity: i64, by: &str) -> Result<(), Breach> {
        let mut shown = self.0.lock().unwrap();
        let now = Shown { left, quantity, by: by.to_owned() };
        let first = shown.entry((offer.clone(), version)).or_insert_with(|| now.clone());
        if (first.left, first.quantity) == (left, quantity) {
            return Ok(());
        }
        Err(Breach::new("one version, one count", format!("offer {offer} at {version:?}: {first:?}, and {now:?}")))
    }

    /// How many different counts were seen.
    pub fn seen(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// What a viewer at a node has on the screen.
#[derive(Debug, Default)]
pub struct Screen(Mutex<HashMap<Id, Version>>);

impl Screen {
    pub fn shown(&self) -> HashMap<Id, Version> {
        self.0.lock().unwrap().clone()
    }

    /// A sale that is over is told once; what becomes of its holds is its buyers' matter.
    fn show(&self, offer: &Id, version: Version, is_over: bool) {
        let mut shown = self.0.lock().unwrap();
        if is_over {
            shown.remove(offer)
        } else {
            shown.insert(offer.clone(), version)
        };
    }
}

/// Watches at one node until the run is over, coming back whenever the connection ends.
pub async fn watch(board: Arc<Board>, counts: Arc<Counts>, screen: Arc<Screen>, node: usize) {
    let mut watcher = Watcher { name: format!("watcher at node {node}"), newest: HashMap::new(), screen };
    while !board.over.is_cancelled() {
        tokio::select! {
            ended = watcher.session(&board, &counts, node) => {
                if let Ended::Breach(what) = ended {
                    board.breach(Breach::new("no silent gap", format!("{}: {what}", watcher.name)));
                }
            }
            () = board.over.cancelled() => return,
        }
        sleep(Duration::from_millis(200)).await;
    }
}

struct Watcher {
    name: String,
    newest: HashMap<Id, (Version, i64)>,
    screen: Arc<Screen>,
}

impl Watcher {
    async fn session(&mut self, board: &Board, counts: &Counts, node: usize) -> Ended {
        let (mut line, hello) = match Line::open(&board.urls[node], &board.stream, None).await {
            Ok(joined) => joined,
            Err(ended) => return ended,
        };
        self.look(board, counts, &hello);
        loop {
            match line.watch().await {
                Ok(frame) => self.look(board, counts, &frame),
                Err(ended) => return ended,
            }
        }
    }

    fn look(&mut self, board: &Board, counts: &Counts, frame: &Value) {
        // These bring everything; what they do not bring is not on the screen any more.
        if frame["t"] == "hello" || frame["t"] == "snapshot" {
            self.screen.0.lock().unwrap().clear();
        }
        for offer in frame["state"]["offers"].as_object().into_iter().flat_map(|offers| offers.values()) {
            let Some((id, version, left, quantity)) = read(offer) else {
                board.breach(Breach::new("one version, one count", format!("an offer without its count: {offer}")));
                continue;
            };
            if let Some((newest, then)) = self.newest.get(&id).filter(|(newest, _)| version < *newest) {
                let what = format!(
                    "{}: offer {id} went from {newest:?} ({then} left) back to {version:?} ({left} left)",
                    self.name
                );
                board.breach(Breach::new("counts move forward", what));
                continue;
            }
            self.newest.insert(id.clone(), (version, left));
            self.screen.show(&id, version, offer["status"] == "closed");
            if let Err(breach) = counts.heed(&id, version, left, quantity, &self.name) {
                board.breach(breach);
            }
        }
    }
}

fn read(offer: &Value) -> Option<(Id, Version, i64, i64)> {
    let version = (offer["v"][0].as_i64()?, offer["v"][1].as_i64()?);
    Some((offer["id"].as_str()?.into(), version, offer["left"].as_i64()?, offer["quantity"].as_i64()?))
}
