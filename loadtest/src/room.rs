//! One show as the crowd hears it. A frame that many viewers get is read once; after that it is known by its bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::invariants::{self, Epoch, FrameSummary, SharedFrameKind, ViolationKind};
use crate::measurements::LatencyClass;
use crate::requests::RequestLog;
use crate::wire::{IncomingFrame, ValueVersion};

/// Frames remembered by their bytes. The server walks from viewer to viewer, so they come close together.
const CACHED_MAX: usize = 16;
const COUNTS_MAX: usize = 400;

#[derive(Debug)]
pub struct ObservedRoom {
    pub stream: String,
    recent_frames: VecDeque<CachedFrame>,
    recent_hellos: VecDeque<CachedFrame>,
    epochs: Vec<String>,
    offers: Vec<ObservedOffer>,
    offer_indexes: HashMap<String, u32>,
    /// What each number stands for, so that no two viewers are told different stories.
    event_hashes: HashMap<(Epoch, u64), u64>,
    /// Frames that were read.
    pub distinct_frames: u64,
    /// The largest position heard.
    pub head: (Epoch, u64),
}

/// A frame by its bytes: what it says, and what of it is worth measuring.
#[derive(Debug)]
struct CachedFrame {
    bytes: Vec<u8>,
    frame: SharedFrame,
}

#[derive(Debug)]
pub struct SharedFrame {
    pub told: FrameSummary,
    pub samples: Vec<LatencySample>,
}

/// Something in a frame whose age, when it arrives, is a latency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LatencySample {
    pub class: LatencyClass,
    /// When it was to happen, in µs of the crowd's clock.
    pub since: u64,
}

/// An offer as the room last told it.
#[derive(Clone, PartialEq, Debug)]
pub struct ObservedOffer {
    pub id: String,
    pub version: ValueVersion,
    pub quantity: i64,
    pub left: i64,
    pub opens_at: Option<i64>,
    pub status: String,
    /// Places that were answered and no frame has told yet, and when.
    unconfirmed_places: BTreeMap<i64, u64>,
    confirmed_place: i64,
    /// When the count first reached zero.
    pub sold_out_at: Option<u64>,
    /// Counts as they were first told, each with its time: thinned when there are many.
    pub counts: Vec<(u64, i64)>,
}

impl ObservedRoom {
    pub fn new(stream: String) -> Self {
        Self {
            stream,
            recent_frames: VecDeque::new(),
            recent_hellos: VecDeque::new(),
            epochs: Vec::new(),
            offers: Vec::new(),
            offer_indexes: HashMap::new(),
            event_hashes: HashMap::new(),
            distinct_frames: 0,
            head: (0, 0),
        }
    }

    pub fn epoch_name(&self, epoch: Epoch) -> &str {
        &self.epochs[epoch as usize - 1]
    }

    pub fn offers(&self) -> &[ObservedOffer] {
        &self.offers
    }

    pub fn offer(&self, offer: &str) -> Option<&ObservedOffer> {
        self.offer_indexes.get(offer).map(|place| &self.offers[*place as usize])
    }

    /// A buyer was told their place: the count that tells of it is still to come.
    pub fn record_purchase(&mut self, offer: &str, place: i64, now: u64) {
        if let Some(at) = self.offer_indexes.get(offer) {
            let shelf = &mut self.offers[*at as usize];
            if shelf.confirmed_place < place {
                shelf.unconfirmed_places.insert(place, now);
            }
        }
    }

    /// The frame with these bytes, if it was read lately.
    pub fn cached(&self, payload: &[u8]) -> Option<&SharedFrame> {
        self.recent_frames.iter().find(|known| known.bytes == payload).map(|known| &known.frame)
    }

    /// A hello by its tail, the part that all who come in at that moment share, and whether it says `recovered`.
    pub fn cached_hello(&self, payload: &[u8]) -> Option<(&SharedFrame, bool)> {
        let (head, tail) = split_hello(payload)?;
        let recovered = if contains(head, br#""recovered":true"#) {
            true
        } else if contains(head, br#""recovered":false"#) {
            false
        } else {
            return None;
        };
        let known = self
            .recent_hellos
            .iter()
            .find(|known| known.bytes == tail && known.frame.told.kind == SharedFrameKind::Hello { recovered })?;
        Some((&known.frame, recovered))
    }

    /// Reads a tick, a snapshot or a hello, and remembers it.
    /// `epoch` is the one its viewer is in: a tick does not say.
    pub fn decode(&mut self, payload: &[u8], wire: &IncomingFrame, epoch: Epoch, asks: &mut RequestLog, now: u64) {
        let kind = match &*wire.t {
            "tick" => SharedFrameKind::Tick,
            "snapshot" => SharedFrameKind::Snapshot,
            _ => SharedFrameKind::Hello { recovered: wire.recovered },
        };
        self.distinct_frames += 1;
        let heard = self.summarize(kind, wire, epoch, asks, now);
        let hello = matches!(kind, SharedFrameKind::Hello { .. });
        let bytes = if hello { split_hello(payload).map_or(payload, |(_, tail)| tail) } else { payload };
        let list = if hello { &mut self.recent_hellos } else { &mut self.recent_frames };
        list.truncate(CACHED_MAX - 1);
        list.push_front(CachedFrame { bytes: bytes.to_vec(), frame: heard });
    }

    /// What was read last: of hellos, or of the frames all viewers share.
    pub fn newest(&self, hello: bool) -> &SharedFrame {
        if hello { &self.recent_hellos[0].frame } else { &self.recent_frames[0].frame }
    }

    fn summarize(
        &mut self,
        kind: SharedFrameKind,
        wire: &IncomingFrame,
        epoch: Epoch,
        asks: &mut RequestLog,
        now: u64,
    ) -> SharedFrame {
        let mut fault = None;
        let epoch = match &wire.epoch {
            Some(name) => self.epoch_number(name),
            None => epoch,
        };
        let seq = wire.seq.unwrap_or_else(|| {
            fault = Some(ViolationKind::InvalidFrame);
            0
        });
        let mut marks = Vec::new();
        for event in &wire.events {
            if event.seq == 0 {
                continue;
            }
            let mut hasher = DefaultHasher::new();
            event.hash(&mut hasher);
            let story = hasher.finish();
            if *self.event_hashes.entry((epoch, event.seq)).or_insert(story) != story {
                fault = fault.or(Some(ViolationKind::ConflictingEvents));
            }
            match asks.told(event, (epoch, event.seq)) {
                Ok(Some(mark)) if kind == SharedFrameKind::Tick => marks.push(mark),
                Ok(_) => {}
                Err(breach) => fault = fault.or(Some(breach)),
            }
        }
        // What first joiners are shown may have holes: continuity starts at `seq`.
        let (first, count) = match kind {
            SharedFrameKind::Tick | SharedFrameKind::Hello { recovered: true } => {
                let (first, count, disorder) = invariants::check_event_order(wire.events.iter().map(|event| event.seq));
                let last = wire.events.last().map(|event| event.seq);
                let elsewhere = last.is_some_and(|last| last != seq).then_some(ViolationKind::WrongPosition);
                fault = fault.or(disorder).or(elsewhere);
                (first, count)
            }
            _ => (None, 0),
        };
        if self.head.0 < epoch || (self.head.0 == epoch && self.head.1 < seq) {
            self.head = (epoch, seq);
        }
        let mut offers = Vec::with_capacity(wire.state.offers.len());
        for (id, offer) in &wire.state.offers {
            if offer.left < 0 || offer.quantity < offer.left {
                fault = fault.or(Some(ViolationKind::InvalidCount));
            }
            let place = self.offer_index(id);
            offers.push((place, offer.v));
            let shelf = &mut self.offers[place as usize];
            if let Some(since) = shelf.apply(offer, now)
                && kind == SharedFrameKind::Tick
            {
                marks.push(LatencySample { class: LatencyClass::Stock, since });
            }
        }
        let pin = wire.state.pin.as_ref().map(|pin| pin.v);
        SharedFrame { told: FrameSummary { kind, epoch, seq, first, count, offers, pin, fault }, samples: marks }
    }

    fn epoch_number(&mut self, name: &str) -> Epoch {
        let place = self.epochs.iter().position(|known| known == name).unwrap_or_else(|| {
            self.epochs.push(name.to_owned());
            self.epochs.len() - 1
        });
        place as Epoch + 1
    }

    fn offer_index(&mut self, id: &str) -> u32 {
        if let Some(place) = self.offer_indexes.get(id) {
            return *place;
        }
        let place = self.offers.len() as u32;
        self.offer_indexes.insert(id.to_owned(), place);
        self.offers.push(ObservedOffer {
            id: id.to_owned(),
            version: (i64::MIN, 0),
            quantity: 0,
            left: 0,
            opens_at: None,
            status: String::new(),
            unconfirmed_places: BTreeMap::new(),
            confirmed_place: 0,
            sold_out_at: None,
            counts: Vec::new(),
        });
        place
    }
}

impl ObservedOffer {
    pub fn sold(&self) -> i64 {
        self.quantity - self.left
    }

    /// Takes a newer value; says since when the oldest sale that it is the first to tell of was known to its buyer.
    fn apply(&mut self, offer: &crate::wire::ServerOffer, now: u64) -> Option<u64> {
        if offer.v < self.version {
            return None;
        }
        self.version = offer.v;
        (self.quantity, self.left, self.opens_at) = (offer.quantity, offer.left, offer.opens_at);
        self.status.clear();
        self.status.push_str(&offer.status);
        if self.left == 0 && self.quantity > 0 {
            self.sold_out_at.get_or_insert(now);
        }
        if self.counts.last().is_none_or(|(_, left)| *left != self.left) {
            self.counts.push((now, self.left));
            if self.counts.len() == COUNTS_MAX {
                let mut place = 0;
                self.counts.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
            }
        }
        self.confirmed_place = self.confirmed_place.max(self.sold());
        let later = self.unconfirmed_places.split_off(&(self.confirmed_place + 1));
        std::mem::replace(&mut self.unconfirmed_places, later).into_values().min()
    }
}

/// Before and from the `epoch` of a hello. A hello in another order is read whole each time, which is only slower.
fn split_hello(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    const TAIL: &[u8] = br#","epoch":"#;
    let at = payload.windows(TAIL.len()).take(1_024).position(|window| window == TAIL)?;
    Some(payload.split_at(at))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
