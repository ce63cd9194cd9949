//! What the viewers of the scene `nodes` share: each frame is parsed once, no sequence number belongs to two events,
//! and every acknowledged message was delivered to a viewer.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use loadtest::invariants::{self, Epoch, ViewerState};
use loadtest::requests::RequestLog;
use loadtest::room::ObservedRoom;
use loadtest::violations::excerpt;
use loadtest::wire::IncomingFrame;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::journal::Millis;
use crate::oracle::PromiseViolation;
use crate::run_context::RunContext;

/// The prefix of the probe messages at the end of a run.
pub const PROBE: &str = "probe ";

pub struct ViewerGroup {
    pub context: Arc<RunContext>,
    received: Mutex<GroupLog>,
    /// Open connections, one for each viewer.
    pub here: AtomicI64,
    /// The position of each viewer.
    positions: Vec<Mutex<Option<(Epoch, u64)>>>,
    pub counters: ViewerCounters,
    /// Messages without a reply yet.
    pending: TaskTracker,
    /// A reply arrived before any viewer received the message.
    reply_before_broadcast: Notify,
}

struct GroupLog {
    room: ObservedRoom,
    /// The room expects a log of the requests of a load test; these viewers send their requests elsewhere, so this one
    /// is empty.
    requests: RequestLog,
    /// Messages by their id, with their positions; without a sequence number when they belong to an earlier epoch.
    delivered: HashMap<String, (Epoch, u64)>,
    /// Messages that were acknowledged to their senders, with the time.
    acknowledged: Vec<(String, Millis)>,
    probes: HashMap<String, (Epoch, u64)>,
    replies: BTreeMap<String, usize>,
}

/// Counters of the connections over the whole run.
#[derive(Debug, Default)]
pub struct ViewerCounters {
    pub frames: AtomicU64,
    pub links: AtomicU64,
    pub recovered: AtomicU64,
    pub not_recovered: AtomicU64,
    /// Resyncs on a live connection: the server reported that the event stream is not continuous.
    pub resynced: AtomicU64,
    pub missed: AtomicU64,
    pub moved: AtomicU64,
}

/// The kind of a frame, besides the violations it has.
pub enum ReceivedFrame {
    /// A frame of the room: hello, tick or snapshot.
    Room,
    Reply(Value),
    Moving(u64),
    Other,
}

impl ViewerGroup {
    pub fn new(context: Arc<RunContext>, viewers: usize) -> ViewerGroup {
        let room = ObservedRoom::new(context.stream.clone());
        let heard = GroupLog {
            room,
            requests: RequestLog::new("nodes".to_owned()),
            delivered: HashMap::new(),
            acknowledged: Vec::new(),
            probes: HashMap::new(),
            replies: BTreeMap::new(),
        };
        let positions = (0..viewers).map(|_| Mutex::default()).collect();
        let (here, counters, pending, reply_before_broadcast) = Default::default();
        ViewerGroup { context, received: Mutex::new(heard), here, positions, counters, pending, reply_before_broadcast }
    }

    fn received(&self) -> MutexGuard<'_, GroupLog> {
        self.received.lock().unwrap()
    }

    /// A viewer receives a frame.
    pub fn receive(&self, viewer: usize, place: &mut ViewerState, text: &str) -> ReceivedFrame {
        self.counters.frames.fetch_add(1, Ordering::Relaxed);
        let (bytes, before) = (text.as_bytes(), place.position());
        let mut heard = self.received();
        let heard = &mut *heard;
        let known = if place.has_hello() {
            heard.room.cached(bytes)
        } else {
            heard.room.cached_hello(bytes).map(|(shared, _)| shared)
        };
        let (applied, kind) = match known {
            Some(shared) => (place.apply(&shared.summary), shared.summary.kind),
            None => {
                let wire: IncomingFrame = match serde_json::from_str(text) {
                    Ok(wire) => wire,
                    Err(error) => {
                        self.record_violation(
                            viewer,
                            invariants::ViolationKind::InvalidFrame,
                            before,
                            &error.to_string(),
                            bytes,
                        );
                        return ReceivedFrame::Other;
                    }
                };
                match &*wire.t {
                    "tick" | "snapshot" | "hello" => {}
                    "reply" => return ReceivedFrame::Reply(serde_json::from_str(text).unwrap_or_default()),
                    "moving" => return ReceivedFrame::Moving(wire.retry_ms.unwrap_or(0)),
                    "order" | "held" | "action" => return ReceivedFrame::Other,
                    other => {
                        self.record_violation(
                            viewer,
                            invariants::ViolationKind::InvalidFrame,
                            before,
                            &format!("a {other}"),
                            bytes,
                        );
                        return ReceivedFrame::Other;
                    }
                }
                heard.room.decode(bytes, &wire, before.map_or(0, |(epoch, _)| epoch), &mut heard.requests, 0);
                let shared = heard.room.newest(wire.t == "hello");
                let (applied, kind) = (place.apply(&shared.summary), shared.summary.kind);
                let epoch = place.position().map_or(0, |(epoch, _)| epoch);
                for event in wire.events.iter().filter(|event| event.kind == "chat") {
                    heard.delivered.extend(event.id.as_deref().map(|id| (id.to_owned(), (epoch, event.seq))));
                    if let Some(text) = event.text.as_deref().filter(|text| text.starts_with(PROBE))
                        && event.seq > 0
                    {
                        heard.probes.insert(text.to_owned(), (epoch, event.seq));
                    }
                }
                (applied, kind)
            }
        };
        let ViewerCounters { recovered, not_recovered, resynced: fresh, missed, .. } = &self.counters;
        match kind {
            invariants::SharedFrameKind::Hello { recovered: true } => {
                recovered.fetch_add(1, Ordering::Relaxed);
            }
            invariants::SharedFrameKind::Hello { recovered: false } => {
                not_recovered.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                fresh.fetch_add(u64::from(applied.resynced), Ordering::Relaxed);
            }
        }
        missed.fetch_add(applied.missed, Ordering::Relaxed);
        *self.positions[viewer].lock().unwrap() = place.position();
        if let Some(violation) = applied.violation {
            self.record_violation(viewer, violation, before, &format!("then received {kind:?}"), bytes);
        }
        ReceivedFrame::Room
    }

    fn record_violation(
        &self,
        viewer: usize,
        kind: invariants::ViolationKind,
        at: Option<(Epoch, u64)>,
        what: &str,
        bytes: &[u8],
    ) {
        let promise = match kind {
            invariants::ViolationKind::StaleOffer | invariants::ViolationKind::StalePin => "versions move forward",
            invariants::ViolationKind::InvalidCount => "never oversold",
            invariants::ViolationKind::InvalidFrame => "frames",
            _ => "no silent gap",
        };
        let seq = at.map_or(0, |(_, seq)| seq);
        let what = format!("{kind:?} at {}: viewer {viewer}, being at {at:?}: {what}", self.context.now());
        self.context.record_violation(PromiseViolation {
            evidence: vec![excerpt(bytes, seq)],
            ..PromiseViolation::new(promise, what)
        });
    }

    /// The position to resume from.
    pub fn position(&self, place: &ViewerState) -> Option<(String, u64)> {
        let (epoch, seq) = place.position()?;
        Some((self.received().room.epoch_name(epoch).to_owned(), seq))
    }

    pub fn count_reply(&self, word: &str) {
        *self.received().replies.entry(word.to_owned()).or_default() += 1;
    }

    pub fn acknowledge(&self, id: &str) {
        let mut heard = self.received();
        heard.acknowledged.push((id.to_owned(), self.context.now()));
        if !heard.delivered.contains_key(id) {
            self.reply_before_broadcast.notify_waiters();
        }
    }

    /// Waits for a moment in which a sender has a reply and no viewer has received the message yet.
    pub async fn wait_for_reply_before_broadcast(&self) {
        self.reply_before_broadcast.notified().await;
    }

    /// Counts a message as pending until the token is dropped: when it is answered, or cannot be answered any more.
    pub fn track_message(&self) -> TaskTrackerToken {
        self.pending.token()
    }

    pub fn has_no_pending_messages(&self) -> bool {
        self.pending.is_empty()
    }

    /// The position of the message that was acknowledged last. Epochs are numbered as viewers see them first, and a node whose link is slow
    /// shows an ended epoch after the one that follows it: so the highest position is not the newest.
    pub fn newest_acknowledged(&self) -> Option<(Epoch, u64)> {
        let heard = self.received();
        heard.acknowledged.iter().rev().find_map(|(id, _)| heard.delivered.get(id)).copied()
    }

    /// Messages that were acknowledged and that no viewer received.
    pub fn undelivered_messages(&self) -> Vec<(String, Millis)> {
        let heard = self.received();
        heard.acknowledged.iter().filter(|(id, _)| !heard.delivered.contains_key(id)).cloned().collect()
    }

    pub fn probe(&self, text: &str) -> Option<(Epoch, u64)> {
        self.received().probes.get(text).copied()
    }

    /// Viewers that have not reached this position, or are in another epoch.
    pub fn behind(&self, (epoch, seq): (Epoch, u64)) -> Vec<usize> {
        let is_there = |place: &Mutex<Option<(Epoch, u64)>>| {
            place.lock().unwrap().is_some_and(|place| place.0 == epoch && seq <= place.1)
        };
        self.positions.iter().enumerate().filter(|(_, place)| !is_there(place)).map(|(viewer, _)| viewer).collect()
    }

    pub fn print_summary(&self) {
        let heard = self.received();
        println!("viewers: {:?}, {} different frames", self.counters, heard.room.distinct_frames);
        println!("chat: {:?}, {} messages delivered", heard.replies, heard.delivered.len());
    }
}
