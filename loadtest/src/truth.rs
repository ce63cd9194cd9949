//! What must be true of every viewer's link, checked frame by frame. Pure: no socket, no clock.
//!
//! A frame that all viewers of a room share is read once into a [`Told`]; a viewer is a [`Place`], and hearing a frame
//! costs a few comparisons. After a breach the place goes on from what was told, so one fault is one breach.

use serde::Serialize;

use crate::wire::Version;

/// The number of an epoch within its room, from 1; 0 is none.
pub type Epoch = u32;

const OLDEST: Version = (i64::MIN, i64::MIN);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Tick,
    Snapshot,
    Hello { recovered: bool },
}

/// What a shared frame says, as far as truth is concerned.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    pub kind: Kind,
    /// Of hello and snapshot.
    pub epoch: Epoch,
    pub seq: u64,
    /// The events, numbered `first`, `first + 1`…; `None` when there is none.
    pub first: Option<u64>,
    pub count: u32,
    pub offers: Vec<(u32, Version)>,
    pub pin: Option<Version>,
    /// What is wrong with the frame whoever hears it.
    pub fault: Option<Breach>,
}

/// A broken promise, by the name it has in reports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// Events are missing, and nobody said so.
    Hole,
    /// An event came twice.
    Repeat,
    /// The events of one frame are not in order.
    Reorder,
    /// A frame's position is not that of its last event.
    Position,
    /// A number stands for two different events.
    TwoStories,
    /// An offer's version went back.
    OldOffer,
    /// The pin's version went back.
    OldPin,
    /// More left than there were, or less than nothing.
    Count,
    /// `recovered: true` without exactly the missed events.
    Recovery,
    /// What is no frame of this protocol.
    BadFrame,
    /// An acknowledged message has been told to nobody.
    MessageLost,
    /// One message has two numbers.
    MessageTwice,
    /// A viewer who is connected was not told the last events.
    LeftBehind,
    /// An acknowledged order is not in the books exactly once.
    OrderLost,
    /// One key, two orders; or an order for a purchase that was refused.
    OrderTwice,
    /// More units in orders than were on sale.
    Oversold,
    /// Places are not 1, 2, 3…
    Places,
}

/// Where one viewer is.
#[derive(Clone, Default, Debug)]
pub struct Place {
    epoch: Epoch,
    seq: u64,
    /// Hello has been said on this link.
    greeted: bool,
    /// The link came with our position.
    asked: bool,
    offers: Vec<Version>,
    pin: Option<Version>,
}

/// What hearing a frame did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Heard {
    /// Events this viewer did not have.
    pub events: u32,
    /// Events the server said we cannot have any more.
    pub missed: u64,
    /// Not continued: a snapshot, or a hello that is not recovered.
    pub fresh: bool,
    /// Values older than those of an earlier link; clients keep the newer.
    pub stale: u32,
    pub breach: Option<Breach>,
}

impl Place {
    /// The position to come back with.
    pub fn position(&self) -> Option<(Epoch, u64)> {
        (self.epoch != 0).then_some((self.epoch, self.seq))
    }

    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// A new link begins. Whether it continues is the hello's to say.
    pub fn relink(&mut self) {
        self.greeted = false;
        self.asked = self.epoch != 0;
    }

    pub fn hear(&mut self, told: &Told) -> Heard {
        let mut heard = match told.kind {
            Kind::Tick => self.tick(told),
            Kind::Snapshot if !self.greeted => Heard { breach: Some(Breach::BadFrame), ..Heard::default() },
            Kind::Snapshot => self.fresh(told),
            Kind::Hello { .. } if self.greeted => Heard { breach: Some(Breach::BadFrame), ..Heard::default() },
            Kind::Hello { recovered } => self.hello(told, recovered),
        };
        heard.breach = told.fault.or(heard.breach);
        self.state(told, &mut heard);
        self.greeted = true;
        heard
    }

    fn tick(&mut self, told: &Told) -> Heard {
        let (before, greeted) = (self.seq, self.greeted);
        self.seq = told.seq;
        let breach = match told.first {
            _ if !greeted => Some(Breach::BadFrame),
            Some(first) if first == before + 1 => None,
            Some(first) if first <= before => Some(Breach::Repeat),
            Some(_) => Some(Breach::Hole),
            None if told.seq == before => None,
            None => Some(if told.seq < before { Breach::Position } else { Breach::Hole }),
        };
        // Up to the first event that came, or to the position if none did.
        let missed = told.first.unwrap_or(told.seq + 1).saturating_sub(before + 1);
        let missed = if breach == Some(Breach::Hole) { missed } else { 0 };
        Heard { events: told.count, missed, breach, ..Heard::default() }
    }

    fn hello(&mut self, told: &Told, recovered: bool) -> Heard {
        if !recovered {
            return self.fresh(told);
        }
        let first = told.first.unwrap_or(told.seq + 1);
        let exact = self.asked && told.epoch == self.epoch && first == self.seq + 1 && self.seq <= told.seq;
        self.asked = false;
        (self.epoch, self.seq) = (told.epoch, told.seq);
        Heard { events: told.count, breach: (!exact).then_some(Breach::Recovery), ..Heard::default() }
    }

    fn fresh(&mut self, told: &Told) -> Heard {
        let first = self.epoch == 0;
        let missed = if self.epoch == told.epoch { told.seq.saturating_sub(self.seq) } else { 0 };
        (self.epoch, self.seq) = (told.epoch, told.seq);
        Heard { missed, fresh: !first, ..Heard::default() }
    }

    /// Within a link a version never goes back. Another node may be a moment behind, so the first state of a link is
    /// only counted.
    fn state(&mut self, told: &Told, heard: &mut Heard) {
        for &(offer, version) in &told.offers {
            let offer = offer as usize;
            if self.offers.len() <= offer {
                self.offers.resize(offer + 1, OLDEST);
            }
            if version < self.offers[offer] {
                heard.old(self.greeted, Breach::OldOffer);
            }
            self.offers[offer] = version;
        }
        if let Some(version) = told.pin {
            if self.pin.is_some_and(|known| version < known) {
                heard.old(self.greeted, Breach::OldPin);
            }
            self.pin = Some(version);
        }
    }
}

impl Heard {
    fn old(&mut self, greeted: bool, breach: Breach) {
        if greeted {
            self.breach = self.breach.or(Some(breach));
        } else {
            self.stale += 1;
        }
    }
}

/// The first number, how many, and what is wrong with their order; events of an earlier epoch (0) have no number.
pub fn run(seqs: impl Iterator<Item = u64>) -> (Option<u64>, u32, Option<Breach>) {
    let (mut first, mut last, mut count, mut fault) = (None, 0, 0, None);
    for seq in seqs {
        let wrong = match first {
            None => None,
            Some(_) if seq == last + 1 => None,
            Some(_) if seq == last => Some(Breach::Repeat),
            Some(_) if seq < last => Some(Breach::Reorder),
            Some(_) => Some(Breach::Hole),
        };
        fault = fault.or(wrong);
        first = first.or(Some(seq));
        last = seq;
        count += 1;
    }
    (first, count, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: Kind, first: Option<u64>, seq: u64) -> Told {
        let count = first.map_or(0, |first| (seq + 1).saturating_sub(first) as u32);
        Told { kind, epoch: 1, seq, first, count, offers: vec![], pin: None, fault: None }
    }

    fn tick(first: u64, seq: u64) -> Told {
        told(Kind::Tick, Some(first), seq)
    }

    fn hello(recovered: bool, first: Option<u64>, seq: u64) -> Told {
        told(Kind::Hello { recovered }, first, seq)
    }

    /// A viewer who has heard everything up to 41.
    fn viewer() -> Place {
        let mut place = Place::default();
        place.relink();
        assert_eq!(place.hear(&hello(false, None, 40)), Heard::default());
        assert_eq!(place.hear(&tick(41, 41)).breach, None);
        place
    }

    #[test]
    fn a_planted_fault_is_found_and_is_one_breach() {
        for (frame, expected) in [
            (tick(42, 44), None),
            (told(Kind::Tick, None, 41), None),
            (tick(43, 44), Some(Breach::Hole)),
            (told(Kind::Tick, None, 42), Some(Breach::Hole)),
            (tick(41, 42), Some(Breach::Repeat)),
            (tick(41, 41), Some(Breach::Repeat)),
            (told(Kind::Tick, None, 40), Some(Breach::Position)),
            (Told { fault: Some(Breach::Reorder), ..tick(42, 44) }, Some(Breach::Reorder)),
            (hello(false, None, 41), Some(Breach::BadFrame)),
        ] {
            let mut place = viewer();
            assert_eq!(place.hear(&frame).breach, expected, "{frame:?}");
            let next = place.position().unwrap().1 + 1;
            assert_eq!(place.hear(&tick(next, next)).breach, None, "the place goes on after {frame:?}");
        }
    }

    #[test]
    fn what_falls_into_a_hole_is_counted() {
        assert_eq!(viewer().hear(&tick(44, 45)).missed, 2);
        assert_eq!(viewer().hear(&told(Kind::Tick, None, 43)).missed, 2);
        assert_eq!(viewer().hear(&tick(41, 42)).missed, 0);
    }

    #[test]
    fn the_order_within_a_frame_is_checked() {
        for (seqs, expected) in [
            (vec![], (None, 0, None)),
            (vec![7], (Some(7), 1, None)),
            (vec![7, 8, 9], (Some(7), 3, None)),
            (vec![7, 9], (Some(7), 2, Some(Breach::Hole))),
            (vec![7, 7], (Some(7), 2, Some(Breach::Repeat))),
            (vec![8, 7], (Some(8), 2, Some(Breach::Reorder))),
        ] {
            assert_eq!(run(seqs.iter().copied()), expected, "{seqs:?}");
        }
    }

    #[test]
    fn recovered_means_exactly_the_missed_events() {
        for (frame, expected) in [
            (hello(true, Some(42), 45), None),
            (hello(true, None, 41), None),
            (hello(true, None, 45), Some(Breach::Recovery)),
            (hello(true, Some(43), 45), Some(Breach::Recovery)),
            (hello(true, Some(41), 45), Some(Breach::Recovery)),
            (hello(true, None, 40), Some(Breach::Recovery)),
            (Told { epoch: 2, ..hello(true, Some(42), 45) }, Some(Breach::Recovery)),
        ] {
            let mut place = viewer();
            place.relink();
            assert_eq!(place.hear(&frame).breach, expected, "{frame:?}");
        }
        let mut stranger = Place::default();
        stranger.relink();
        assert_eq!(stranger.hear(&hello(true, None, 5)).breach, Some(Breach::Recovery), "nobody asked");
    }

    #[test]
    fn a_gap_that_is_told_is_no_breach_and_is_counted() {
        let mut place = viewer();
        place.relink();
        let heard = place.hear(&hello(false, None, 50));
        assert_eq!((heard.breach, heard.missed, heard.fresh), (None, 9, true));
        let heard = place.hear(&told(Kind::Snapshot, None, 60));
        assert_eq!((heard.breach, heard.missed, heard.fresh), (None, 10, true));
        assert_eq!(place.hear(&tick(61, 61)).breach, None);
        let heard = place.hear(&Told { epoch: 2, ..told(Kind::Snapshot, None, 3) });
        assert_eq!((heard.breach, heard.missed, heard.fresh), (None, 0, true));
    }

    #[test]
    fn versions_never_go_back_within_a_link() {
        let with = |offers: Vec<(u32, Version)>, pin| Told { offers, pin, ..told(Kind::Tick, None, 41) };
        for (before, after, expected) in [
            (with(vec![(0, (1, 7))], None), with(vec![(0, (1, 7))], None), None),
            (with(vec![(0, (1, 7))], None), with(vec![(0, (2, 1))], None), None),
            (with(vec![(0, (1, 7))], None), with(vec![(1, (1, 6))], None), None),
            (with(vec![(0, (1, 7))], None), with(vec![(0, (1, 6))], None), Some(Breach::OldOffer)),
            (with(vec![(0, (2, 1))], None), with(vec![(0, (1, 9))], None), Some(Breach::OldOffer)),
            (with(vec![], Some((1, 7))), with(vec![], Some((1, 6))), Some(Breach::OldPin)),
            (with(vec![], Some((1, 7))), with(vec![], Some((1, 7))), None),
        ] {
            let mut place = viewer();
            assert_eq!(place.hear(&before).breach, None);
            assert_eq!(place.hear(&after).breach, expected, "{after:?}");
        }
    }

    #[test]
    fn another_node_may_be_a_moment_behind_and_that_is_counted() {
        let mut place = viewer();
        place.hear(&Told { offers: vec![(0, (1, 7))], ..told(Kind::Tick, None, 41) });
        place.relink();
        let heard = place.hear(&Told { offers: vec![(0, (1, 6))], ..hello(true, None, 41) });
        assert_eq!((heard.breach, heard.stale), (None, 1));
    }
}
