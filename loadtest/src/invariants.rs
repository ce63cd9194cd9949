//! The invariants of every viewer's connection, checked frame by frame. Pure: no socket, no clock.
//!
//! A frame that all viewers of a room share is parsed once into a [`FrameSummary`]. A viewer has a [`ViewerState`], and
//! applying a frame to it takes a few comparisons. After a violation the state continues from the received frame, so
//! that one fault is one violation.

use serde::Serialize;

use crate::wire::ValueVersion;

/// The number of an epoch within its room, from 1; 0 means none.
pub type Epoch = u32;

const OLDEST: ValueVersion = (i64::MIN, i64::MIN);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SharedFrameKind {
    Tick,
    Snapshot,
    Hello { recovered: bool },
}

/// The content of a shared frame that the invariants need.
#[derive(Clone, PartialEq, Debug)]
pub struct FrameSummary {
    pub kind: SharedFrameKind,
    /// Of a hello or a snapshot.
    pub epoch: Epoch,
    pub seq: u64,
    /// The events have the numbers `first`, `first + 1` and so on. `None` when there are no events.
    pub first: Option<u64>,
    pub count: u32,
    pub offers: Vec<(u32, ValueVersion)>,
    pub pin: Option<ValueVersion>,
    /// A violation that the frame has for every viewer.
    pub violation: Option<ViolationKind>,
}

/// A broken promise, with the name that it has in reports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// Events are missing, and the server did not say so.
    Gap,
    /// An event came twice.
    Duplicate,
    /// The events of one frame are not in order.
    OutOfOrder,
    /// The position of a frame is not that of its last event.
    WrongPosition,
    /// One sequence number belongs to two different events.
    ConflictingEvents,
    /// The version of an offer went back.
    StaleOffer,
    /// The version of the pin went back.
    StalePin,
    /// More units are left than the offer has, or less than zero.
    InvalidCount,
    /// `recovered: true` came without exactly the missed events.
    WrongRecovery,
    /// Not a valid frame of this protocol.
    InvalidFrame,
    /// An acknowledged message was delivered to nobody.
    MessageLost,
    /// One message has two sequence numbers.
    MessageDuplicated,
    /// A connected viewer did not receive the last events.
    ViewerBehind,
    /// An acknowledged order is not stored exactly once.
    OrderLost,
    /// One key has two orders, or a refused purchase has an order.
    OrderDuplicated,
    /// The orders have more units than were on sale.
    Oversold,
    /// The places are not 1, 2, 3 and so on.
    PlacesNotDense,
}

/// The position and the versions that one viewer has received.
#[derive(Clone, Default, Debug)]
pub struct ViewerState {
    epoch: Epoch,
    seq: u64,
    /// The hello of this connection was received.
    hello_received: bool,
    /// The connection was opened with our position.
    resume_requested: bool,
    offers: Vec<ValueVersion>,
    pin: Option<ValueVersion>,
}

/// The effect of a frame on a viewer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AppliedFrame {
    /// Events that are new to this viewer.
    pub events: u32,
    /// Events that the server said cannot be recovered any more.
    pub missed: u64,
    /// The stream of events was not continued: a snapshot, or a hello that is not recovered.
    pub resynced: bool,
    /// Values older than those of an earlier connection. Clients keep the newer ones.
    pub stale_values: u32,
    pub violation: Option<ViolationKind>,
}

impl ViewerState {
    /// The position to resume from.
    pub fn position(&self) -> Option<(Epoch, u64)> {
        (self.epoch != 0).then_some((self.epoch, self.seq))
    }

    pub fn has_hello(&self) -> bool {
        self.hello_received
    }

    /// A new connection begins. Its hello says whether the stream of events continues.
    pub fn begin_connection(&mut self) {
        self.hello_received = false;
        self.resume_requested = self.epoch != 0;
    }

    pub fn apply(&mut self, frame: &FrameSummary) -> AppliedFrame {
        let mut applied = match frame.kind {
            SharedFrameKind::Tick => self.apply_tick(frame),
            SharedFrameKind::Snapshot if !self.hello_received => {
                AppliedFrame { violation: Some(ViolationKind::InvalidFrame), ..AppliedFrame::default() }
            }
            SharedFrameKind::Snapshot => self.apply_snapshot(frame),
            SharedFrameKind::Hello { .. } if self.hello_received => {
                AppliedFrame { violation: Some(ViolationKind::InvalidFrame), ..AppliedFrame::default() }
            }
            SharedFrameKind::Hello { recovered } => self.apply_hello(frame, recovered),
        };
        applied.violation = frame.violation.or(applied.violation);
        self.check_versions(frame, &mut applied);
        self.hello_received = true;
        applied
    }

    fn apply_tick(&mut self, frame: &FrameSummary) -> AppliedFrame {
        let (before, greeted) = (self.seq, self.hello_received);
        self.seq = frame.seq;
        let violation = match frame.first {
            _ if !greeted => Some(ViolationKind::InvalidFrame),
            Some(first) if first == before + 1 => None,
            Some(first) if first <= before => Some(ViolationKind::Duplicate),
            Some(_) => Some(ViolationKind::Gap),
            None if frame.seq == before => None,
            None => Some(if frame.seq < before { ViolationKind::WrongPosition } else { ViolationKind::Gap }),
        };
        // Up to the first event that came, or to the position if none came.
        let missed = frame.first.unwrap_or(frame.seq + 1).saturating_sub(before + 1);
        let missed = if violation == Some(ViolationKind::Gap) { missed } else { 0 };
        AppliedFrame { events: frame.count, missed, violation, ..AppliedFrame::default() }
    }

    fn apply_hello(&mut self, frame: &FrameSummary, recovered: bool) -> AppliedFrame {
        if !recovered {
            return self.apply_snapshot(frame);
        }
        let first = frame.first.unwrap_or(frame.seq + 1);
        let exact =
            self.resume_requested && frame.epoch == self.epoch && first == self.seq + 1 && self.seq <= frame.seq;
        self.resume_requested = false;
        (self.epoch, self.seq) = (frame.epoch, frame.seq);
        AppliedFrame {
            events: frame.count,
            violation: (!exact).then_some(ViolationKind::WrongRecovery),
            ..AppliedFrame::default()
        }
    }

    fn apply_snapshot(&mut self, frame: &FrameSummary) -> AppliedFrame {
        let first = self.epoch == 0;
        let missed = if self.epoch == frame.epoch { frame.seq.saturating_sub(self.seq) } else { 0 };
        (self.epoch, self.seq) = (frame.epoch, frame.seq);
        AppliedFrame { missed, resynced: !first, ..AppliedFrame::default() }
    }

    /// Within a connection a version never goes back. Another node may be slightly behind, so an older value in the
    /// first state of a connection is only counted.
    fn check_versions(&mut self, frame: &FrameSummary, applied: &mut AppliedFrame) {
        for &(offer, version) in &frame.offers {
            let offer = offer as usize;
            if self.offers.len() <= offer {
                self.offers.resize(offer + 1, OLDEST);
            }
            if version < self.offers[offer] {
                applied.record_old_version(self.hello_received, ViolationKind::StaleOffer);
            }
            self.offers[offer] = version;
        }
        if let Some(version) = frame.pin {
            if self.pin.is_some_and(|known| version < known) {
                applied.record_old_version(self.hello_received, ViolationKind::StalePin);
            }
            self.pin = Some(version);
        }
    }
}

impl AppliedFrame {
    fn record_old_version(&mut self, greeted: bool, violation: ViolationKind) {
        if greeted {
            self.violation = self.violation.or(Some(violation));
        } else {
            self.stale_values += 1;
        }
    }
}

/// The first sequence number, the number of events, and the violation in their order. Events of an earlier epoch have
/// no number (0).
pub fn check_event_order(seqs: impl Iterator<Item = u64>) -> (Option<u64>, u32, Option<ViolationKind>) {
    let (mut first, mut last, mut count, mut violation) = (None, 0, 0, None);
    for seq in seqs {
        let found = match first {
            None => None,
            Some(_) if seq == last + 1 => None,
            Some(_) if seq == last => Some(ViolationKind::Duplicate),
            Some(_) if seq < last => Some(ViolationKind::OutOfOrder),
            Some(_) => Some(ViolationKind::Gap),
        };
        violation = violation.or(found);
        first = first.or(Some(seq));
        last = seq;
        count += 1;
    }
    (first, count, violation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(kind: SharedFrameKind, first: Option<u64>, seq: u64) -> FrameSummary {
        let count = first.map_or(0, |first| (seq + 1).saturating_sub(first) as u32);
        FrameSummary { kind, epoch: 1, seq, first, count, offers: vec![], pin: None, violation: None }
    }

    fn tick(first: u64, seq: u64) -> FrameSummary {
        summary(SharedFrameKind::Tick, Some(first), seq)
    }

    fn hello(recovered: bool, first: Option<u64>, seq: u64) -> FrameSummary {
        summary(SharedFrameKind::Hello { recovered }, first, seq)
    }

    /// A viewer that has received everything up to 41.
    fn viewer() -> ViewerState {
        let mut state = ViewerState::default();
        state.begin_connection();
        assert_eq!(state.apply(&hello(false, None, 40)), AppliedFrame::default());
        assert_eq!(state.apply(&tick(41, 41)).violation, None);
        state
    }

    #[test]
    fn one_fault_is_one_violation() {
        for (frame, expected) in [
            (tick(42, 44), None),
            (summary(SharedFrameKind::Tick, None, 41), None),
            (tick(43, 44), Some(ViolationKind::Gap)),
            (summary(SharedFrameKind::Tick, None, 42), Some(ViolationKind::Gap)),
            (tick(41, 42), Some(ViolationKind::Duplicate)),
            (tick(41, 41), Some(ViolationKind::Duplicate)),
            (summary(SharedFrameKind::Tick, None, 40), Some(ViolationKind::WrongPosition)),
            (
                FrameSummary { violation: Some(ViolationKind::OutOfOrder), ..tick(42, 44) },
                Some(ViolationKind::OutOfOrder),
            ),
            (hello(false, None, 41), Some(ViolationKind::InvalidFrame)),
        ] {
            let mut state = viewer();
            assert_eq!(state.apply(&frame).violation, expected, "{frame:?}");
            let next = state.position().unwrap().1 + 1;
            assert_eq!(state.apply(&tick(next, next)).violation, None, "the state continues after {frame:?}");
        }
    }

    #[test]
    fn events_in_a_gap_are_counted() {
        assert_eq!(viewer().apply(&tick(44, 45)).missed, 2);
        assert_eq!(viewer().apply(&summary(SharedFrameKind::Tick, None, 43)).missed, 2);
        assert_eq!(viewer().apply(&tick(41, 42)).missed, 0);
    }

    #[test]
    fn order_within_a_frame_is_checked() {
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
            let mut state = viewer();
            state.begin_connection();
            assert_eq!(state.apply(&frame).violation, expected, "{frame:?}");
        }
        let mut new_viewer = ViewerState::default();
        new_viewer.begin_connection();
        assert_eq!(
            new_viewer.apply(&hello(true, None, 5)).violation,
            Some(ViolationKind::WrongRecovery),
            "no position was sent"
        );
    }

    #[test]
    fn announced_gap_is_counted_and_is_no_violation() {
        let mut state = viewer();
        state.begin_connection();
        let applied = state.apply(&hello(false, None, 50));
        assert_eq!((applied.violation, applied.missed, applied.resynced), (None, 9, true));
        let applied = state.apply(&summary(SharedFrameKind::Snapshot, None, 60));
        assert_eq!((applied.violation, applied.missed, applied.resynced), (None, 10, true));
        assert_eq!(state.apply(&tick(61, 61)).violation, None);
        let applied = state.apply(&FrameSummary { epoch: 2, ..summary(SharedFrameKind::Snapshot, None, 3) });
        assert_eq!((applied.violation, applied.missed, applied.resynced), (None, 0, true));
    }

    #[test]
    fn versions_never_go_back_within_a_connection() {
        let with = |offers: Vec<(u32, ValueVersion)>, pin| FrameSummary {
            offers,
            pin,
            ..summary(SharedFrameKind::Tick, None, 41)
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
            let mut state = viewer();
            assert_eq!(state.apply(&before).violation, None);
            assert_eq!(state.apply(&after).violation, expected, "{after:?}");
        }
    }

    #[test]
    fn older_value_from_another_node_is_counted() {
        let mut state = viewer();
        state.apply(&FrameSummary { offers: vec![(0, (1, 7))], ..summary(SharedFrameKind::Tick, None, 41) });
        state.begin_connection();
        let applied = state.apply(&FrameSummary { offers: vec![(0, (1, 6))], ..hello(true, None, 41) });
        assert_eq!((applied.violation, applied.stale_values), (None, 1));
    }
}
