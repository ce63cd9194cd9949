//! What must be true of every viewer's link, checked frame by frame. Pure: no socket, no clock.
//!
//! A frame that all viewers of a room share is read once into a [`Told`]; a viewer is a [`Place`], and hearing a frame
//! costs a few comparisons. After a breach the place goes on from what was told, so one fault is one breach.

use serde::Serialize;

use crate::wire::ValueVersion;

/// The number of an epoch within its room, from 1; 0 is none.
pub type Epoch = u32;

const OLDEST: ValueVersion = (i64::MIN, i64::MIN);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SharedFrameKind {
    Tick,
    Snapshot,
    Hello { recovered: bool },
}

/// What a shared frame says, as far as truth is concerned.
#[derive(Clone, PartialEq, Debug)]
pub struct FrameSummary {
    pub kind: SharedFrameKind,
    /// Of hello and snapshot.
    pub epoch: Epoch,
    pub seq: u64,
    /// The events, numbered `first`, `first + 1`…; `None` when there is none.
    pub first: Option<u64>,
    pub count: u32,
    pub offers: Vec<(u32, ValueVersion)>,
    pub pin: Option<ValueVersion>,
    /// What is wrong with the frame whoever hears it.
    pub fault: Option<ViolationKind>,
}

/// A broken promise, by the name it has in reports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// Events are missing, and nobody said so.
    Gap,
    /// An event came twice.
    Duplicate,
    /// The events of one frame are not in order.
    OutOfOrder,
    /// A frame's position is not that of its last event.
    WrongPosition,
    /// A number stands for two different events.
    ConflictingEvents,
    /// An offer's version went back.
    StaleOffer,
    /// The pin's version went back.
    StalePin,
    /// More left than there were, or less than nothing.
    InvalidCount,
    /// `recovered: true` without exactly the missed events.
    WrongRecovery,
    /// What is no frame of this protocol.
    InvalidFrame,
    /// An acknowledged message has been told to nobody.
    MessageLost,
    /// One message has two numbers.
    MessageDuplicated,
    /// A viewer who is connected was not told the last events.
    ViewerBehind,
    /// An acknowledged order is not in the books exactly once.
    OrderLost,
    /// One key, two orders; or an order for a purchase that was refused.
    OrderDuplicated,
    /// More units in orders than were on sale.
    Oversold,
    /// Places are not 1, 2, 3…
    PlacesNotDense,
}

/// Where one viewer is.
#[derive(Clone, Default, Debug)]
pub struct ViewerState {
    epoch: Epoch,
    seq: u64,
    /// Hello has been said on this link.
    hello_received: bool,
    /// The link came with our position.
    resume_requested: bool,
    offers: Vec<ValueVersion>,
    pin: Option<ValueVersion>,
}

/// What hearing a frame did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AppliedFrame {
    /// Events this viewer did not have.
    pub events: u32,
    /// Events the server said we cannot have any more.
    pub missed: u64,
    /// Not continued: a snapshot, or a hello that is not recovered.
    pub resynced: bool,
    /// Values older than those of an earlier link; clients keep the newer.
    pub stale_values: u32,
    pub violation: Option<ViolationKind>,
}

impl ViewerState {
    /// The position to come back with.
    pub fn position(&self) -> Option<(Epoch, u64)> {
        (self.epoch != 0).then_some((self.epoch, self.seq))
    }

    pub fn has_hello(&self) -> bool {
        self.hello_received
    }

    /// A new link begins. Whether it continues is the hello's to say.
    pub fn begin_connection(&mut self) {
        self.hello_received = false;
        self.resume_requested = self.epoch != 0;
    }

    pub fn apply(&mut self, told: &FrameSummary) -> AppliedFrame {
        let mut heard = match told.kind {
            SharedFrameKind::Tick => self.apply_tick(told),
            SharedFrameKind::Snapshot if !self.hello_received => {
                AppliedFrame { violation: Some(ViolationKind::InvalidFrame), ..AppliedFrame::default() }
            }
            SharedFrameKind::Snapshot => self.apply_snapshot(told),
            SharedFrameKind::Hello { .. } if self.hello_received => {
                AppliedFrame { violation: Some(ViolationKind::InvalidFrame), ..AppliedFrame::default() }
            }
            SharedFrameKind::Hello { recovered } => self.apply_hello(told, recovered),
        };
        heard.violation = told.fault.or(heard.violation);
        self.check_versions(told, &mut heard);
        self.hello_received = true;
        heard
    }

    fn apply_tick(&mut self, told: &FrameSummary) -> AppliedFrame {
        let (before, greeted) = (self.seq, self.hello_received);
        self.seq = told.seq;
        let breach = match told.first {
            _ if !greeted => Some(ViolationKind::InvalidFrame),
            Some(first) if first == before + 1 => None,
            Some(first) if first <= before => Some(ViolationKind::Duplicate),
            Some(_) => Some(ViolationKind::Gap),
            None if told.seq == before => None,
            None => Some(if told.seq < before { ViolationKind::WrongPosition } else { ViolationKind::Gap }),
        };
        // Up to the first event that came, or to the position if none did.
        let missed = told.first.unwrap_or(told.seq + 1).saturating_sub(before + 1);
        let missed = if breach == Some(ViolationKind::Gap) { missed } else { 0 };
        AppliedFrame { events: told.count, missed, violation: breach, ..AppliedFrame::default() }
    }

    fn apply_hello(&mut self, told: &FrameSummary, recovered: bool) -> AppliedFrame {
        if !recovered {
            return self.apply_snapshot(told);
        }
        let first = told.first.unwrap_or(told.seq + 1);
        let exact = self.resume_requested && told.epoch == self.epoch && first == self.seq + 1 && self.seq <= told.seq;
        self.resume_requested = false;
        (self.epoch, self.seq) = (told.epoch, told.seq);
        AppliedFrame {
            events: told.count,
            violation: (!exact).then_some(ViolationKind::WrongRecovery),
            ..AppliedFrame::default()
        }
    }

    fn apply_snapshot(&mut self, told: &FrameSummary) -> AppliedFrame {
        let first = self.epoch == 0;
        let missed = if self.epoch == told.epoch { told.seq.saturating_sub(self.seq) } else { 0 };
        (self.epoch, self.seq) = (told.epoch, told.seq);
        AppliedFrame { missed, resynced: !first, ..AppliedFrame::default() }
    }

    /// Within a link a version never goes back. Another node may be a moment behind, so the first state of a link is
    /// only counted.
    fn check_versions(&mut self, told: &FrameSummary, heard: &mut AppliedFrame) {
        for &(offer, version) in &told.offers {
            let offer = offer as usize;
            if self.offers.len() <= offer {
                self.offers.resize(offer + 1, OLDEST);
            }
            if version < self.offers[offer] {
                heard.record_old_version(self.hello_received, ViolationKind::StaleOffer);
            }
            self.offers[offer] = version;
        }
        if let Some(version) = told.pin {
            if self.pin.is_some_and(|known| version < known) {
                heard.record_old_version(self.hello_received, ViolationKind::StalePin);
            }
            self.pin = Some(version);
        }
    }
}

impl AppliedFrame {
    fn record_old_version(&mut self, greeted: bool, breach: ViolationKind) {
        if greeted {
            self.violation = self.violation.or(Some(breach));
        } else {
            self.stale_values += 1;
        }
    }
}

/// The first number, how many, and what is wrong with their order; events of an earlier epoch (0) have no number.
pub fn check_event_order(seqs: impl Iterator<Item = u64>) -> (Option<u64>, u32, Option<ViolationKind>) {
    let (mut first, mut last, mut count, mut fault) = (None, 0, 0, None);
    for seq in seqs {
        let wrong = match first {
            None => None,
            Some(_) if seq == last + 1 => None,
            Some(_) if seq == last => Some(ViolationKind::Duplicate),
            Some(_) if seq < last => Some(ViolationKind::OutOfOrder),
            Some(_) => Some(ViolationKind::Gap),
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

    fn told(kind: SharedFrameKind, first: Option<u64>, seq: u64) -> FrameSummary {
        let count = first.map_or(0, |first| (seq + 1).saturating_sub(first) as u32);
        FrameSummary { kind, epoch: 1, seq, first, count, offers: vec![], pin: None, fault: None }
    }

    fn tick(first: u64, seq: u64) -> FrameSummary {
        told(SharedFrameKind::Tick, Some(first), seq)
    }

    fn hello(recovered: bool, first: Option<u64>, seq: u64) -> FrameSummary {
        told(SharedFrameKind::Hello { recovered }, first, seq)
    }

    /// A viewer who has heard everything up to 41.
    fn viewer() -> ViewerState {
        let mut place = ViewerState::default();
        place.begin_connection();
        assert_eq!(place.apply(&hello(false, None, 40)), AppliedFrame::default());
        assert_eq!(place.apply(&tick(41, 41)).violation, None);
        place
    }

    #[test]
    fn a_planted_fault_is_found_and_is_one_breach() {
        for (frame, expected) in [
            (tick(42, 44), None),
            (told(SharedFrameKind::Tick, None, 41), None),
            (tick(43, 44), Some(ViolationKind::Gap)),
            (told(SharedFrameKind::Tick, None, 42), Some(ViolationKind::Gap)),
            (tick(41, 42), Some(ViolationKind::Duplicate)),
            (tick(41, 41), Some(ViolationKind::Duplicate)),
            (told(SharedFrameKind::Tick, None, 40), Some(ViolationKind::WrongPosition)),
            (FrameSummary { fault: Some(ViolationKind::OutOfOrder), ..tick(42, 44) }, Some(ViolationKind::OutOfOrder)),
            (hello(false, None, 41), Some(ViolationKind::InvalidFrame)),
        ] {
            let mut place = viewer();
            assert_eq!(place.apply(&frame).violation, expected, "{frame:?}");
            let next = place.position().unwrap().1 + 1;
            assert_eq!(place.apply(&tick(next, next)).violation, None, "the place goes on after {frame:?}");
        }
    }

    #[test]
    fn what_falls_into_a_hole_is_counted() {
        assert_eq!(viewer().apply(&tick(44, 45)).missed, 2);
        assert_eq!(viewer().apply(&told(SharedFrameKind::Tick, None, 43)).missed, 2);
        assert_eq!(viewer().apply(&tick(41, 42)).missed, 0);
    }

    #[test]
    fn the_order_within_a_frame_is_checked() {
        for (seqs, expected) in [
            (vec![], (None, 0, None)),
            (vec![7], (Some(7), 1, None)),
            (vec![7, 8, 9], (Some(7), 3, None)),
            (vec![7, 9], (Some(7), 2, Some(ViolationKind::Gap))),
            (vec![7, 7], (Some(7), 2, Some(ViolationKind::Duplicate))),
            (vec![8, 7], (Some(8), 2, Some(ViolationKind::OutOfOrder))),
        ] {
            assert_eq!(check_event_order(seqs.iter().copied()), expected, "{seqs:?}");
        }
    }

    #[test]
    fn recovered_means_exactly_the_missed_events() {
        for (frame, expected) in [
            (hello(true, Some(42), 45), None),
            (hello(true, None, 41), None),
            (hello(true, None, 45), Some(ViolationKind::WrongRecovery)),
            (hello(true, Some(43), 45), Some(ViolationKind::WrongRecovery)),
            (hello(true, Some(41), 45), Some(ViolationKind::WrongRecovery)),
            (hello(true, None, 40), Some(ViolationKind::WrongRecovery)),
            (FrameSummary { epoch: 2, ..hello(true, Some(42), 45) }, Some(ViolationKind::WrongRecovery)),
        ] {
            let mut place = viewer();
            place.begin_connection();
            assert_eq!(place.apply(&frame).violation, expected, "{frame:?}");
        }
        let mut stranger = ViewerState::default();
        stranger.begin_connection();
        assert_eq!(stranger.apply(&hello(true, None, 5)).violation, Some(ViolationKind::WrongRecovery), "nobody asked");
    }

    #[test]
    fn a_gap_that_is_told_is_no_breach_and_is_counted() {
        let mut place = viewer();
        place.begin_connection();
        let heard = place.apply(&hello(false, None, 50));
        assert_eq!((heard.violation, heard.missed, heard.resynced), (None, 9, true));
        let heard = place.apply(&told(SharedFrameKind::Snapshot, None, 60));
        assert_eq!((heard.violation, heard.missed, heard.resynced), (None, 10, true));
        assert_eq!(place.apply(&tick(61, 61)).violation, None);
        let heard = place.apply(&FrameSummary { epoch: 2, ..told(SharedFrameKind::Snapshot, None, 3) });
        assert_eq!((heard.violation, heard.missed, heard.resynced), (None, 0, true));
    }

    #[test]
    fn versions_never_go_back_within_a_link() {
        let with = |offers: Vec<(u32, ValueVersion)>, pin| FrameSummary {
            offers,
            pin,
            ..told(SharedFrameKind::Tick, None, 41)
        };
        for (before, after, expected) in [
            (with(vec![(0, (1, 7))], None), with(vec![(0, (1, 7))], None), None),
            (with(vec![(0, (1, 7))], None), with(vec![(0, (2, 1))], None), None),
            (with(vec![(0, (1, 7))], None), with(vec![(1, (1, 6))], None), None),
            (with(vec![(0, (1, 7))], None), with(vec![(0, (1, 6))], None), Some(ViolationKind::StaleOffer)),
            (with(vec![(0, (2, 1))], None), with(vec![(0, (1, 9))], None), Some(ViolationKind::StaleOffer)),
            (with(vec![], Some((1, 7))), with(vec![], Some((1, 6))), Some(ViolationKind::StalePin)),
            (with(vec![], Some((1, 7))), with(vec![], Some((1, 7))), None),
        ] {
            let mut place = viewer();
            assert_eq!(place.apply(&before).violation, None);
            assert_eq!(place.apply(&after).violation, expected, "{after:?}");
        }
    }

    #[test]
    fn another_node_may_be_a_moment_behind_and_that_is_counted() {
        let mut place = viewer();
        place.apply(&FrameSummary { offers: vec![(0, (1, 7))], ..told(SharedFrameKind::Tick, None, 41) });
        place.begin_connection();
        let heard = place.apply(&FrameSummary { offers: vec![(0, (1, 6))], ..hello(true, None, 41) });
        assert_eq!((heard.violation, heard.stale_values), (None, 1));
    }
}
