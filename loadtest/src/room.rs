//! One show as the crowd hears it. A frame that many viewers get is read once; after that it is known by its bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ask::Asks;
use crate::measure::Class;
use crate::truth::{self, Breach, Epoch, Kind, Told};
use crate::wire::{Version, Wire};

/// Frames remembered by their bytes. The server walks from viewer to viewer, so they come close together.
const KNOWN_MAX: usize = 16;
const SEEN_MAX: usize = 400;

#[derive(Debug)]
pub struct Room {
    pub stream: String,
    known: VecDeque<Known>,
    tails: VecDeque<Known>,
    epochs: Vec<String>,
    offers: Vec<Shelf>,
    offer_places: HashMap<String, u32>,
    /// What each number stands for, so that no two viewers are told different stories.
    ledger: HashMap<(Epoch, u64), u64>,
    /// Frames that were read.
    pub distinct: u64,
    /// The largest position heard.
    pub head: (Epoch, u64),
}

/// A frame by its bytes: what it says, and what of it is worth measuring.
#[derive(Debug)]
struct Known {
    bytes: Vec<u8>,
    heard: Shared,
}

#[derive(Debug)]
pub struct Shared {
    pub told: Told,
    pub marks: Vec<Mark>,
}

/// Something in a frame whose age, when it arrives, is a latency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    pub class: Class,
    /// When it was to happen, in µs of the crowd's clock.
    pub since: u64,
}

/// An offer as the room last told it.
#[derive(Clone, PartialEq, Debug)]
pub struct Shelf {
    pub id: String,
    pub v: Version,
    pub quantity: i64,
    pub left: i64,
    pub opens_at: Option<i64>,
    pub status: String,
    /// Places that were answered and no frame has told yet, and when.
    answered: BTreeMap<i64, u64>,
    told_place: i64,
    /// When the count first reached zero.
    pub empty_at: Option<u64>,
    /// Counts as they were first told, each with its time: thinned when there are many.
    pub seen: Vec<(u64, i64)>,
}

impl Room {
    pub fn new(stream: String) -> Self {
        Self {
            stream,
            known: VecDeque::new(),
            tails: VecDeque::new(),
            epochs: Vec::new(),
            offers: Vec::new(),
            offer_places: HashMap::new(),
            ledger: HashMap::new(),
            distinct: 0,
            head: (0, 0),
        }
    }

    pub fn epoch_name(&self, epoch: Epoch) -> &str {
        &self.epochs[epoch as usize - 1]
    }

    pub fn shelves(&self) -> &[Shelf] {
        &self.offers
    }

    pub fn shelf(&self, offer: &str) -> Option<&Shelf> {
        self.offer_places.get(offer).map(|place| &self.offers[*place as usize])
    }

    /// A buyer was told their place: the count that tells of it is still to come.
    pub fn answered(&mut self, offer: &str, place: i64, now: u64) {
        if let Some(at) = self.offer_places.get(offer) {
            let shelf = &mut self.offers[*at as usize];
            if shelf.told_place < place {
                shelf.answered.insert(place, now);
            }
        }
    }

    /// The frame with these bytes, if it was read lately.
    pub fn known(&self, payload: &[u8]) -> Option<&Shared> {
        self.known.iter().find(|known| known.bytes == payload).map(|known| &known.heard)
    }

    /// A hello by its tail, the part that all who come in at that moment share, and whether it says `recovered`.
    pub fn known_hello(&self, payload: &[u8]) -> Option<(&Shared, bool)> {
        let (head, tail) = split_hello(payload)?;
        let recovered = if contains(head, br#""recovered":true"#) {
            true
        } else if contains(head, br#""recovered":false"#) {
            false
        } else {
            return None;
        };
        let known = self
            .tails
            .iter()
            .find(|known| known.bytes == tail && known.heard.told.kind == Kind::Hello { recovered })?;
        Some((&known.heard, recovered))
    }

    /// Reads a tick, a snapshot or a hello, and remembers it.
    /// `epoch` is the one its viewer is in: a tick does not say.
    pub fn read(&mut self, payload: &[u8], wire: &Wire, epoch: Epoch, asks: &mut Asks, now: u64) {
        let kind = match &*wire.t {
            "tick" => Kind::Tick,
            "snapshot" => Kind::Snapshot,
            _ => Kind::Hello { recovered: wire.recovered },
        };
        self.distinct += 1;
        let heard = self.understand(kind, wire, epoch, asks, now);
        let hello = matches!(kind, Kind::Hello { .. });
        let bytes = if hello { split_hello(payload).map_or(payload, |(_, tail)| tail) } else { payload };
        let list = if hello { &mut self.tails } else { &mut self.known };
        list.truncate(KNOWN_MAX - 1);
        list.push_front(Known { bytes: bytes.to_vec(), heard });
    }

    /// What was read last: of hellos, or of the frames all viewers share.
    pub fn newest(&self, hello: bool) -> &Shared {
        if hello { &self.tails[0].heard } else { &self.known[0].heard }
    }

    fn understand(&mut self, kind: Kind, wire: &Wire, epoch: Epoch, asks: &mut Asks, now: u64) -> Shared {
        let mut fault = None;
        let epoch = match &wire.epoch {
            Some(name) => self.epoch(name),
            None => epoch,
        };
        let seq = wire.seq.unwrap_or_else(|| {
            fault = Some(Breach::BadFrame);
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
            if *self.ledger.entry((epoch, event.seq)).or_insert(story) != story {
                fault = fault.or(Some(Breach::TwoStories));
            }
            match asks.told(event, (epoch, event.seq)) {
                Ok(Some(mark)) if kind == Kind::Tick => marks.push(mark),
                Ok(_) => {}
                Err(breach) => fault = fault.or(Some(breach)),
            }
        }
        // What first joiners are shown may have holes: continuity starts at `seq`.
        let (first, count) = match kind {
            Kind::Tick | Kind::Hello { recovered: true } => {
                let (first, count, disorder) = truth::run(wire.events.iter().map(|event| event.seq));
                let last = wire.events.last().map(|event| event.seq);
                let elsewhere = last.is_some_and(|last| last != seq).then_some(Breach::Position);
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
                fault = fault.or(Some(Breach::Count));
            }
            let place = self.offer(id);
            offers.push((place, offer.v));
            let shelf = &mut self.offers[place as usize];
            if let Some(since) = shelf.take(offer, now)
                && kind == Kind::Tick
            {
                marks.push(Mark { class: Class::Stock, since });
            }
        }
        let pin = wire.state.pin.as_ref().map(|pin| pin.v);
        Shared { told: Told { kind, epoch, seq, first, count, offers, pin, fault }, marks }
    }

    fn epoch(&mut self, name: &str) -> Epoch {
        let place = self.epochs.iter().position(|known| known == name).unwrap_or_else(|| {
            self.epochs.push(name.to_owned());
            self.epochs.len() - 1
        });
        place as Epoch + 1
    }

    fn offer(&mut self, id: &str) -> u32 {
        if let Some(place) = self.offer_places.get(id) {
            return *place;
        }
        let place = self.offers.len() as u32;
        self.offer_places.insert(id.to_owned(), place);
        self.offers.push(Shelf {
            id: id.to_owned(),
            v: (i64::MIN, 0),
            quantity: 0,
            left: 0,
            opens_at: None,
            status: String::new(),
            answered: BTreeMap::new(),
            told_place: 0,
            empty_at: None,
            seen: Vec::new(),
        });
        place
    }
}

impl Shelf {
    pub fn sold(&self) -> i64 {
        self.quantity - self.left
    }

    /// Takes a newer value; says since when the oldest sale that it is the first to tell of was known to its buyer.
    fn take(&mut self, offer: &crate::wire::Offer, now: u64) -> Option<u64> {
        if offer.v < self.v {
            return None;
        }
        self.v = offer.v;
        (self.quantity, self.left, self.opens_at) = (offer.quantity, offer.left, offer.opens_at);
        self.status.clear();
        self.status.push_str(&offer.status);
        if self.left == 0 && self.quantity > 0 {
            self.empty_at.get_or_insert(now);
        }
        if self.seen.last().is_none_or(|(_, left)| *left != self.left) {
            self.seen.push((now, self.left));
            if self.seen.len() == SEEN_MAX {
                let mut place = 0;
                self.seen.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
            }
        }
        self.told_place = self.told_place.max(self.sold());
        let later = self.answered.split_off(&(self.told_place + 1));
        std::mem::replace(&mut self.answered, later).into_values().min()
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
