//! What the viewers of the scene `nodes` know together: each frame is read once, no number stands for two events, and what
//! somebody was told is said was heard by somebody.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use loadtest::ask::Asks;
use loadtest::breaches::around;
use loadtest::room::Room;
use loadtest::truth::{self, Epoch, Place};
use loadtest::wire::Wire;
use serde_json::Value;

use crate::board::Board;
use crate::journal::Millis;
use crate::oracle::Breach;

/// What the probes at the end of a run begin with.
pub const PROBE: &str = "probe ";

pub struct Crowd {
    pub board: Arc<Board>,
    heard: Mutex<Heard>,
    /// Links that are open, one for each viewer.
    pub here: AtomicI64,
    /// Where each viewer is.
    places: Vec<Mutex<Option<(Epoch, u64)>>>,
    pub tally: Tally,
}

struct Heard {
    room: Room,
    /// The room wants to know what its own crowd asked for; this one asks elsewhere.
    asks: Asks,
    /// Messages by their id.
    told: HashSet<String>,
    /// Messages whose senders were told that they are said, and when.
    acknowledged: Vec<(String, Millis)>,
    probes: HashMap<String, (Epoch, u64)>,
    answers: BTreeMap<String, usize>,
}

/// What happened to links, over the whole run.
#[derive(Debug, Default)]
pub struct Tally {
    pub frames: AtomicU64,
    pub links: AtomicU64,
    pub recovered: AtomicU64,
    pub not_recovered: AtomicU64,
    /// Told, on a living link, that what comes now does not follow.
    pub fresh: AtomicU64,
    pub missed: AtomicU64,
    pub moved: AtomicU64,
}

/// What a frame is, besides what is held against it.
pub enum Said {
    /// Of the room.
    Room,
    Reply(Value),
    Moving(u64),
    Other,
}

impl Crowd {
    pub fn new(board: Arc<Board>, viewers: usize) -> Crowd {
        let room = Room::new(board.stream.clone());
        let heard = Heard {
            room,
            asks: Asks::new("nodes".to_owned()),
            told: HashSet::new(),
            acknowledged: Vec::new(),
            probes: HashMap::new(),
            answers: BTreeMap::new(),
        };
        let places = (0..viewers).map(|_| Mutex::default()).collect();
        Crowd { board, heard: Mutex::new(heard), here: AtomicI64::new(0), places, tally: Tally::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    /// One viewer hears a frame.
    pub fn hear(&self, viewer: usize, place: &mut Place, text: &str) -> Said {
        self.tally.frames.fetch_add(1, Ordering::Relaxed);
        let (bytes, before) = (text.as_bytes(), place.position());
        let mut heard = self.heard();
        let heard = &mut *heard;
        let known = if place.is_greeted() {
            heard.room.known(bytes)
        } else {
            heard.room.known_hello(bytes).map(|(shared, _)| shared)
        };
        let (told, kind) = match known {
            Some(shared) => (place.hear(&shared.told), shared.told.kind),
            None => {
                let wire: Wire = match serde_json::from_str(text) {
                    Ok(wire) => wire,
                    Err(error) => {
                        self.breach(viewer, truth::Breach::BadFrame, before, &error.to_string(), bytes);
                        return Said::Other;
                    }
                };
                match &*wire.t {
                    "tick" | "snapshot" | "hello" => {}
                    "reply" => return Said::Reply(serde_json::from_str(text).unwrap_or_default()),
                    "moving" => return Said::Moving(wire.retry_ms.unwrap_or(0)),
                    "order" | "held" | "action" => return Said::Other,
                    other => {
                        self.breach(viewer, truth::Breach::BadFrame, before, &format!("a {other}"), bytes);
                        return Said::Other;
                    }
                }
                heard.room.read(bytes, &wire, before.map_or(0, |(epoch, _)| epoch), &mut heard.asks, 0);
                let shared = heard.room.newest(wire.t == "hello");
                let (told, kind) = (place.hear(&shared.told), shared.told.kind);
                let epoch = place.position().map_or(0, |(epoch, _)| epoch);
                for event in wire.events.iter().filter(|event| event.kind == "chat") {
                    heard.told.extend(event.id.as_deref().map(str::to_owned));
                    if let Some(text) = event.text.as_deref().filter(|text| text.starts_with(PROBE))
                        && event.seq > 0
                    {
                        heard.probes.insert(text.to_owned(), (epoch, event.seq));
                    }
                }
                (told, kind)
            }
        };
        let Tally { recovered, not_recovered, fresh, missed, .. } = &self.tally;
        match kind {
            truth::Kind::Hello { recovered: true } => drop(recovered.fetch_add(1, Ordering::Relaxed)),
            truth::Kind::Hello { recovered: false } => drop(not_recovered.fetch_add(1, Ordering::Relaxed)),
            _ => drop(fresh.fetch_add(u64::from(told.fresh), Ordering::Relaxed)),
        }
        missed.fetch_add(told.missed, Ordering::Relaxed);
        *self.places[viewer].lock().unwrap() = place.position();
        if let Some(breach) = told.breach {
            self.breach(viewer, breach, before, &format!("then came {kind:?}"), bytes);
        }
        Said::Room
    }

    fn breach(&self, viewer: usize, kind: truth::Breach, at: Option<(Epoch, u64)>, what: &str, bytes: &[u8]) {
        let promise = match kind {
            truth::Breach::OldOffer | truth::Breach::OldPin => "versions move forward",
            truth::Breach::Count => "never oversold",
            truth::Breach::BadFrame => "frames",
            _ => "no silent gap",
        };
        let seq = at.map_or(0, |(_, seq)| seq);
        let what = format!("{kind:?} at {}: viewer {viewer}, being at {at:?}: {what}", self.board.now());
        self.board.breach(Breach { evidence: vec![around(bytes, seq)], ..Breach::new(promise, what) });
    }

    /// What to ask to go on from.
    pub fn position(&self, place: &Place) -> Option<(String, u64)> {
        let (epoch, seq) = place.position()?;
        Some((self.heard().room.epoch_name(epoch).to_owned(), seq))
    }

    pub fn answered(&self, word: &str) {
        *self.heard().answers.entry(word.to_owned()).or_default() += 1;
    }

    pub fn acknowledge(&self, id: &str) {
        self.heard().acknowledged.push((id.to_owned(), self.board.now()));
    }

    /// Messages that were acknowledged and that nobody heard.
    pub fn unheard(&self) -> Vec<(String, Millis)> {
        let heard = self.heard();
        heard.acknowledged.iter().filter(|(id, _)| !heard.told.contains(id)).cloned().collect()
    }

    pub fn probe(&self, text: &str) -> Option<(Epoch, u64)> {
        self.heard().probes.get(text).copied()
    }

    /// Viewers who are not as far as this.
    pub fn behind(&self, at: (Epoch, u64)) -> Vec<usize> {
        let is_there = |place: &Mutex<Option<(Epoch, u64)>>| place.lock().unwrap().is_some_and(|place| at <= place);
        self.places.iter().enumerate().filter(|(_, place)| !is_there(place)).map(|(viewer, _)| viewer).collect()
    }

    pub fn tell(&self) {
        let heard = self.heard();
        println!("viewers: {:?}, {} different frames", self.tally, heard.room.distinct);
        println!("talk: {:?}, {} messages heard", heard.answers, heard.told.len());
    }
}
