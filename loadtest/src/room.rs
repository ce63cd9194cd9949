//! One stream as the viewers receive it. A frame that many viewers receive is parsed once; after that its bytes
//! identify it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::invariants::{self, Epoch, FrameSummary, SharedFrameKind, ViolationKind};
use crate::measurements::LatencyClass;
use crate::requests::RequestLog;
use crate::wire::{IncomingFrame, ValueVersion};

/// Number of frames that are cached by their bytes. The server broadcasts from viewer to viewer, so equal frames come
/// close together.
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
    /// A hash of the event at each position, so that two viewers cannot receive different events for the same number.
    event_hashes: HashMap<(Epoch, u64), u64>,
    /// Number of frames that were parsed.
    pub distinct_frames: u64,
    /// The newest position that a viewer received.
    pub head: (Epoch, u64),
}

/// A frame with its bytes.
#[derive(Debug)]
struct CachedFrame {
    bytes: Vec<u8>,
    frame: SharedFrame,
}

#[derive(Debug)]
pub struct SharedFrame {
    pub summary: FrameSummary,
    pub samples: Vec<LatencySample>,
}

/// Something in a frame that has a latency when the frame arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LatencySample {
    pub class: LatencyClass,
    /// When it was due, in µs of the simulation's clock.
    pub since: u64,
}

/// An offer as the room last received it.
#[derive(Clone, PartialEq, Debug)]
pub struct ObservedOffer {
    pub id: String,
    pub version: ValueVersion,
    pub quantity: i64,
    pub left: i64,
    pub opens_at: Option<i64>,
    pub status: String,
    /// Places that buyers were told in a reply and that no stock count includes yet, with the time of the reply.
    unconfirmed_places: BTreeMap<i64, u64>,
    confirmed_place: i64,
    /// When the number of units left first reached zero.
    pub sold_out_at: Option<u64>,
    /// The units left, each with the time when it was first received. Thinned when there are many.
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

    /// A buyer received a place: the stock count that includes it is still to come.
    pub fn record_purchase(&mut self, offer: &str, place: i64, now: u64) {
        if let Some(at) = self.offer_indexes.get(offer) {
            let offer_state = &mut self.offers[*at as usize];
            if offer_state.confirmed_place < place {
                offer_state.unconfirmed_places.insert(place, now);
            }
        }
    }

    /// The cached frame with these bytes.
    pub fn cached(&self, payload: &[u8]) -> Option<&SharedFrame> {
        self.recent_frames.iter().find(|known| known.bytes == payload).map(|known| &known.frame)
    }

    /// A cached hello by its tail, the part that is the same for all who join at that moment, and whether it says
    /// `recovered`.
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
            .find(|known| known.bytes == tail && known.frame.summary.kind == SharedFrameKind::Hello { recovered })?;
        Some((&known.frame, recovered))
    }

    /// Parses a tick, a snapshot or a hello, and caches it. `epoch` is the epoch of the viewer, because a tick has
    /// none.
    pub fn decode(&mut self, payload: &[u8], wire: &IncomingFrame, epoch: Epoch, requests: &mut RequestLog, now: u64) {
        let kind = match &*wire.t {
            "tick" => SharedFrameKind::Tick,
            "snapshot" => SharedFrameKind::Snapshot,
            _ => SharedFrameKind::Hello { recovered: wire.recovered },
        };
        self.distinct_frames += 1;
        let frame = self.summarize(kind, wire, epoch, requests, now);
        let hello = matches!(kind, SharedFrameKind::Hello { .. });
        let bytes = if hello { split_hello(payload).map_or(payload, |(_, tail)| tail) } else { payload };
        let list = if hello { &mut self.recent_hellos } else { &mut self.recent_frames };
        list.truncate(CACHED_MAX - 1);
        list.push_front(CachedFrame { bytes: bytes.to_vec(), frame });
    }

    /// The frame that was parsed last: the last hello, or the last frame that all viewers share.
    pub fn newest(&self, hello: bool) -> &SharedFrame {
        if hello { &self.recent_hellos[0].frame } else { &self.recent_frames[0].frame }
    }

    fn summarize(
        &mut self,
        kind: SharedFrameKind,
        wire: &IncomingFrame,
        epoch: Epoch,
        requests: &mut RequestLog,
        now: u64,
    ) -> SharedFrame {
        let mut violation = None;
        let epoch = match &wire.epoch {
            Some(name) => self.epoch_number(name),
            None => epoch,
        };
        let seq = wire.seq.unwrap_or_else(|| {
            violation = Some(ViolationKind::InvalidFrame);
            0
        });
        let mut samples = Vec::new();
        for event in &wire.events {
            if event.seq == 0 {
                continue;
            }
            let mut hasher = DefaultHasher::new();
            event.hash(&mut hasher);
            let hash = hasher.finish();
            if *self.event_hashes.entry((epoch, event.seq)).or_insert(hash) != hash {
                violation = violation.or(Some(ViolationKind::ConflictingEvents));
            }
            match requests.receive_event(event, (epoch, event.seq)) {
                Ok(Some(sample)) if kind == SharedFrameKind::Tick => samples.push(sample),
                Ok(_) => {}
                Err(kind) => violation = violation.or(Some(kind)),
            }
        }
        // The events in a first hello may have holes: continuity starts at `seq`.
        let (first, count) = match kind {
            SharedFrameKind::Tick | SharedFrameKind::Hello { recovered: true } => {
                let (first, count, order_violation) =
                    invariants::check_event_order(wire.events.iter().map(|event| event.seq));
                let last = wire.events.last().map(|event| event.seq);
                let position_violation = last.is_some_and(|last| last != seq).then_some(ViolationKind::WrongPosition);
                violation = violation.or(order_violation).or(position_violation);
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
                violation = violation.or(Some(ViolationKind::InvalidCount));
            }
            let place = self.offer_index(id);
            offers.push((place, offer.v));
            let offer_state = &mut self.offers[place as usize];
            if let Some(since) = offer_state.apply(offer, now)
                && kind == SharedFrameKind::Tick
            {
                samples.push(LatencySample { class: LatencyClass::Stock, since });
            }
        }
        let pin = wire.state.pin.as_ref().map(|pin| pin.v);
        SharedFrame { summary: FrameSummary { kind, epoch, seq, first, count, offers, pin, violation }, samples }
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

    /// Applies a newer value. Returns when the oldest sale that it includes first was confirmed to its buyer.
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

/// The part before the `epoch` of a hello, and the part from it. A hello with another order of fields is parsed each
/// time, which is only slower.
fn split_hello(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    const TAIL: &[u8] = br#","epoch":"#;
    let at = payload.windows(TAIL.len()).take(1_024).position(|window| window == TAIL)?;
    Some(payload.split_at(at))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
