//! The ring buffer: the room's latest encoded frames for connected viewers, and the latest events for clients that
//! resume.
//!
//! A viewer is a cursor into the frames; there is no queue per viewer for broadcasts. The buffer is bounded by age, number
//! and bytes. A viewer whose cursor falls behind its oldest frame cannot continue and gets a snapshot. It is our own and not
//! `tokio::sync::broadcast`, which wakes a task per viewer and frame.

use std::collections::VecDeque;

use bytes::Bytes;

pub use crate::domain::StreamPosition;
use crate::domain::{MessageId, Millis, UserId};
use crate::protocol::{EncodedEvent, Frame};

const RING_AGE_MAX_MS: Millis = 60_000;
const RING_FRAMES_MAX: usize = 2_048;
const RING_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A resume of more than this is refused: the client starts from a snapshot. This also keeps hello below what a viewer
/// may leave unsent.
const RESUME_BYTES_MAX: u64 = 192 * 1024;
/// Events shown to a client that joins without a position.
pub const RECENT_MAX: usize = 30;

pub struct RingBuffer {
    position: StreamPosition,
    frames: RetentionWindow<EncodedFrame>,
    events: RetentionWindow<(u64, EncodedEvent)>,
    /// The last visible events, without deleted ones.
    recent: VecDeque<(u64, EncodedEvent)>,
}

/// A frame for most viewers, and for those who agreed on deflate a deflated one, where that is shorter.
pub struct EncodedFrame {
    plain: Bytes,
    deflated: Option<Bytes>,
}

impl EncodedFrame {
    /// `deflate`: at least one viewer accepts deflated frames.
    pub fn new(frame: Frame, deflate: bool) -> Self {
        let deflated = if deflate { frame.deflated().map(Frame::into_bytes) } else { None };
        Self { plain: frame.into_bytes(), deflated }
    }

    pub fn bytes(&self, deflate: bool) -> &Bytes {
        self.deflated.as_ref().filter(|_| deflate).unwrap_or(&self.plain)
    }

    /// Bytes before and after deflate.
    pub fn deflate_sizes(&self) -> Option<(usize, usize)> {
        self.deflated.as_ref().map(|deflated| (self.plain.len(), deflated.len()))
    }
}

/// How a client that sends its position can resume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resume {
    /// With exactly the events after this one.
    After(u64),
    /// This node has not received as many events as the client; it will in a moment.
    Ahead,
    Unrecoverable,
}

impl RingBuffer {
    pub fn new(position: StreamPosition) -> Self {
        Self {
            position,
            frames: RetentionWindow::default(),
            events: RetentionWindow::default(),
            recent: VecDeque::new(),
        }
    }

    /// The position after the last frame.
    pub fn position(&self) -> &StreamPosition {
        &self.position
    }

    /// The index that the next frame will have.
    pub fn head(&self) -> u64 {
        self.frames.end()
    }

    pub fn frames_from(&self, cursor: u64, deflate: bool) -> impl Iterator<Item = &Bytes> {
        self.frames.iter_from(cursor).map(move |frame| frame.bytes(deflate))
    }

    /// Bytes from `cursor` to the head; `None` once the ring buffer has dropped them.
    pub fn bytes_behind(&self, cursor: u64) -> Option<u64> {
        self.frames.bytes_from(cursor)
    }

    /// Adds a frame and the events in it. Their numbers follow the position.
    pub fn push(&mut self, now: Millis, frame: EncodedFrame, events: Vec<(u64, EncodedEvent)>) {
        let length = frame.plain.len() + frame.deflated.as_ref().map_or(0, Bytes::len);
        self.frames.push(now, length, frame);
        for event in events {
            self.position.seq = event.0;
            self.append(now, event);
        }
        self.frames.trim(now, RING_FRAMES_MAX);
        self.events.trim(now, usize::MAX);
    }

    fn append(&mut self, now: Millis, event: (u64, EncodedEvent)) {
        self.update_recent(&event);
        self.events.push(now, event.1.json.len(), event);
    }

    /// Starts again at `position`: nobody can resume from before. Events that the viewers do not get one by one are
    /// shown to clients that join later; those of an earlier epoch get the number 0. Frames keep their indices, so
    /// cursors stay valid.
    pub fn restart(&mut self, position: StreamPosition, shown: &[(u64, EncodedEvent)]) {
        if position.epoch != self.position.epoch {
            self.recent.iter_mut().for_each(|(seq, _)| *seq = 0);
        }
        self.position = position;
        self.events.clear();
        for event in shown {
            self.update_recent(event);
        }
    }

    /// Fills an empty ring buffer from history: as far as `recent` reaches back from the position without a hole,
    /// clients can resume from it; all of it is shown to clients that join.
    pub fn seed(&mut self, now: Millis, recent: Vec<(u64, EncodedEvent)>) {
        self.recent.clear();
        let gapless = gapless_tail(&recent, self.position.seq);
        let start = recent.len() - gapless;
        for (index, event) in recent.into_iter().enumerate() {
            if index < start { self.update_recent(&event) } else { self.append(now, event) }
        }
    }

    /// Events that are about to be sent again are not kept twice.
    pub fn remove_repeated(&mut self, repeated: &[(u64, EncodedEvent)]) {
        self.recent.retain(|(_, kept_event)| !repeated.iter().any(|(_, event)| event.is_same_event(kept_event)));
    }

    fn update_recent(&mut self, event: &(u64, EncodedEvent)) {
        if let Some(hidden) = event.1.deletes {
            self.remove_message(hidden);
        }
        if event.1.removes_user_messages {
            self.recent.retain(|(_, other)| other.message.is_none() || other.user != event.1.user);
            self.remove_quotes(|_, author| Some(author) == event.1.user.as_ref());
        }
        if event.1.is_visible {
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(event.clone());
        }
    }

    fn remove_message(&mut self, message: MessageId) {
        self.recent.retain(|(_, event)| event.message != Some(message));
        self.remove_quotes(|quoted, _| quoted == message);
    }

    /// A message that was removed also disappears where it was quoted.
    fn remove_quotes(&mut self, is_removed: impl Fn(MessageId, &UserId) -> bool) {
        for (_, event) in &mut self.recent {
            if event.quotes.as_ref().is_some_and(|(message, author)| is_removed(*message, author)) {
                *event = event.without_quote();
            }
        }
    }

    pub fn recent(&self) -> impl Iterator<Item = &(u64, EncodedEvent)> {
        self.recent.iter()
    }

    pub fn events_after(&self, seq: u64) -> impl Iterator<Item = &(u64, EncodedEvent)> {
        self.events.iter_from(self.events.end() - (self.position.seq - seq).min(self.events.len() as u64))
    }

    /// The earliest position that a client can resume from.
    pub fn oldest(&self) -> u64 {
        self.position.seq - (self.events.len() as u64).min(self.position.seq)
    }

    /// How many of `missed`, which history returned for the time after `asked`, together with the buffer's own events
    /// lead to the current position without a hole; `None` when they do not.
    pub fn history_bridge(&self, asked: &StreamPosition, missed: &[(u64, EncodedEvent)]) -> Option<usize> {
        let gapless = (asked.seq + 1..=self.position.seq).zip(missed).take_while(|(seq, (own_seq, _))| seq == own_seq);
        let add =
            |(count, bytes), (_, (_, event)): (u64, &(u64, EncodedEvent))| (count + 1, bytes + event.json.len() as u64);
        let (count, bytes) = gapless.fold((0, 0), add);
        let reached = StreamPosition { seq: asked.seq + count, ..asked.clone() };
        let fits = 0 < count && bytes <= RESUME_BYTES_MAX / 2;
        (fits && self.resume(Some(&reached)) == Resume::After(reached.seq)).then_some(count as usize)
    }

    pub fn resume(&self, asked: Option<&StreamPosition>) -> Resume {
        let Some(asked) = asked.filter(|asked| asked.epoch == self.position.epoch) else {
            return Resume::Unrecoverable;
        };
        let Some(missed) = self.position.seq.checked_sub(asked.seq) else { return Resume::Ahead };
        // Events in the buffer have no holes and end at the position.
        let bytes = self.events.end().checked_sub(missed).and_then(|from| self.events.bytes_from(from));
        match bytes {
            Some(bytes) if bytes <= RESUME_BYTES_MAX => Resume::After(asked.seq),
            _ => Resume::Unrecoverable,
        }
    }

    pub fn trim(&mut self, now: Millis) {
        self.frames.trim(now, RING_FRAMES_MAX);
        self.events.trim(now, usize::MAX);
    }
}

/// How many events at the end of `events` are numbered one after the other up to `seq`.
pub fn gapless_tail(events: &[(u64, EncodedEvent)], seq: u64) -> usize {
    events.iter().rev().zip(0..seq).take_while(|((own_seq, _), back)| *own_seq == seq - back).count()
}

/// The newest items of a numbered sequence, bounded by age, number and bytes.
struct RetentionWindow<T> {
    items: VecDeque<RetainedItem<T>>,
    /// The number of the first item kept.
    first: u64,
    /// Bytes of all items there ever were.
    total: u64,
}

struct RetainedItem<T> {
    at: Millis,
    /// Bytes of all items before this one.
    start: u64,
    item: T,
}

impl<T> Default for RetentionWindow<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), first: 0, total: 0 }
    }
}

impl<T> RetentionWindow<T> {
    fn push(&mut self, at: Millis, length: usize, item: T) {
        self.items.push_back(RetainedItem { at, start: self.total, item });
        self.total += length as u64;
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn iter_from(&self, number: u64) -> impl Iterator<Item = &T> {
        let skipped = (number.saturating_sub(self.first) as usize).min(self.items.len());
        self.items.range(skipped..).map(|kept| &kept.item)
    }

    /// Bytes from `number` to the end; `None` when it is not kept any more.
    fn bytes_from(&self, number: u64) -> Option<u64> {
        let index = number.checked_sub(self.first)? as usize;
        Some(self.total - self.items.get(index).map_or(self.total, |kept| kept.start))
    }

    fn trim(&mut self, now: Millis, max: usize) {
        while let Some(oldest) = self.items.front() {
            let too_much = max < self.items.len() || RING_BYTES_MAX < self.total - oldest.start;
            if !too_much && now < oldest.at + RING_AGE_MAX_MS {
                break;
            }
            self.items.pop_front();
            self.first += 1;
        }
    }

    fn clear(&mut self) {
        self.first = self.end();
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Event;

    fn at(seq: u64) -> StreamPosition {
        StreamPosition { epoch: "e1".into(), seq }
    }

    fn event(seq: u64) -> (u64, EncodedEvent) {
        (seq, EncodedEvent::new(seq as Millis, &Event::Unpinned {}))
    }

    fn chat(seq: u64, id: MessageId) -> (u64, EncodedEvent) {
        let json = format!(r#"{{"at":1,"type":"chat","id":"{id}"}}"#);
        (seq, EncodedEvent::from_bytes(json.into()).unwrap())
    }

    fn push(ring_buffer: &mut RingBuffer, now: Millis, events: Vec<(u64, EncodedEvent)>) {
        ring_buffer.push(now, EncodedFrame::new(Frame::text("x"), false), events);
    }

    fn seqs<'a>(events: impl Iterator<Item = &'a (u64, EncodedEvent)>) -> Vec<u64> {
        events.map(|(seq, _)| *seq).collect()
    }

    #[test]
    fn client_resumes_exactly_as_far_back_as_the_ring_buffer_reaches() {
        let mut ring_buffer = RingBuffer::new(at(10));
        push(&mut ring_buffer, 0, vec![event(11), event(12)]);
        push(&mut ring_buffer, 0, vec![event(13)]);
        for (asked, expected) in [
            (Some(at(9)), Resume::Unrecoverable),
            (Some(at(10)), Resume::After(10)),
            (Some(at(12)), Resume::After(12)),
            (Some(at(13)), Resume::After(13)),
            (Some(at(14)), Resume::Ahead),
            (Some(StreamPosition { epoch: "e2".into(), seq: 12 }), Resume::Unrecoverable),
            (None, Resume::Unrecoverable),
        ] {
            assert_eq!(ring_buffer.resume(asked.as_ref()), expected, "{asked:?}");
        }
        assert_eq!(seqs(ring_buffer.events_after(10)), [11, 12, 13]);
        assert_eq!(seqs(ring_buffer.events_after(12)), [13]);
        assert!(seqs(ring_buffer.events_after(13)).is_empty());
        push(&mut ring_buffer, RING_AGE_MAX_MS, vec![event(14)]);
        assert_eq!(ring_buffer.resume(Some(&at(12))), Resume::Unrecoverable, "too long ago");
        assert_eq!(ring_buffer.resume(Some(&at(13))), Resume::After(13));
    }

    #[test]
    fn resume_larger_than_the_unsent_limit_is_refused() {
        let mut ring_buffer = RingBuffer::new(at(0));
        let big = EncodedEvent { json: vec![b' '; 100_000].into(), ..event(1).1 };
        push(&mut ring_buffer, 0, vec![(1, big.clone()), (2, big)]);
        assert_eq!(ring_buffer.resume(Some(&at(0))), Resume::Unrecoverable);
        assert_eq!(ring_buffer.resume(Some(&at(1))), Resume::After(1));
    }

    #[test]
    fn no_resume_from_before_a_restart() {
        let mut ring_buffer = RingBuffer::new(at(0));
        push(&mut ring_buffer, 0, vec![event(1)]);
        ring_buffer.restart(at(9), &[]);
        assert_eq!(ring_buffer.resume(Some(&at(1))), Resume::Unrecoverable);
        assert_eq!(ring_buffer.resume(Some(&at(9))), Resume::After(9));
        push(&mut ring_buffer, 0, vec![event(10)]);
        assert_eq!(seqs(ring_buffer.events_after(9)), [10]);
    }

    #[test]
    fn history_allows_resume_back_to_its_first_hole() {
        let mut ring_buffer = RingBuffer::new(at(7));
        ring_buffer.seed(0, vec![chat(0, MessageId::new()), chat(3, MessageId::new()), event(5), event(6), event(7)]);
        assert_eq!(ring_buffer.resume(Some(&at(3))), Resume::Unrecoverable);
        assert_eq!(ring_buffer.resume(Some(&at(4))), Resume::After(4));
        assert_eq!(seqs(ring_buffer.events_after(4)), [5, 6, 7]);
        assert_eq!(seqs(ring_buffer.recent()), [0, 3]);
        let mut behind = RingBuffer::new(at(8));
        behind.seed(0, vec![event(6), event(7)]);
        assert_eq!(behind.resume(Some(&at(7))), Resume::Unrecoverable, "8 is missing");
    }

    #[test]
    fn hello_shows_the_last_visible_events_without_deleted_ones() {
        let mut ring_buffer = RingBuffer::new(at(0));
        let ids: Vec<_> = (0..40).map(|_| MessageId::new()).collect();
        for (seq, id) in (1..).zip(&ids) {
            push(&mut ring_buffer, 0, vec![chat(seq, *id)]);
        }
        let deleted = EncodedEvent::new(1, &Event::Deleted { id: ids[38] });
        push(&mut ring_buffer, 0, vec![(41, deleted), event(42)]);
        let expected: Vec<u64> = (11..=40).filter(|seq| *seq != 39).collect();
        assert_eq!(seqs(ring_buffer.recent()), expected);
        assert_eq!(ring_buffer.position().seq, 42);
    }

    #[test]
    fn hello_shows_no_messages_of_muted_banned_or_erased_users() {
        let mut ring_buffer = RingBuffer::new(at(0));
        let message = |seq: u64, user: &str| {
            let json = format!(r#"{{"at":1,"type":"chat","id":"{}","from":{{"id":"{user}"}}}}"#, MessageId::new());
            (seq, EncodedEvent::from_bytes(json.into()).unwrap())
        };
        for (seq, kind) in [(4, "muted"), (9, "banned"), (14, "erased")] {
            push(&mut ring_buffer, 0, vec![message(seq - 3, "ann"), message(seq - 2, "bob"), message(seq - 1, "ann")]);
            let json = format!(r#"{{"at":1,"type":"{kind}","user":"ann","until":5}}"#);
            push(
                &mut ring_buffer,
                0,
                vec![(seq, EncodedEvent::from_bytes(json.into()).unwrap()), message(seq + 1, "bob")],
            );
        }
        assert_eq!(seqs(ring_buffer.recent()), [2, 5, 7, 10, 12, 15]);
        let unmuted = EncodedEvent::from_bytes(r#"{"at":1,"type":"unmuted","user":"bob"}"#.into()).unwrap();
        push(&mut ring_buffer, 0, vec![(16, unmuted), message(17, "ann")]);
        assert_eq!(seqs(ring_buffer.recent()), [2, 5, 7, 10, 12, 15, 17]);
    }

    #[test]
    fn frames_are_bounded_by_number_bytes_and_age() {
        let mut ring_buffer = RingBuffer::new(at(0));
        for _ in 0..RING_FRAMES_MAX + 10 {
            push(&mut ring_buffer, 0, vec![]);
        }
        assert_eq!(ring_buffer.bytes_behind(9), None);
        assert_eq!(ring_buffer.bytes_behind(10), Some(3 * RING_FRAMES_MAX as u64));
        assert_eq!(ring_buffer.bytes_behind(ring_buffer.head()), Some(0));
        for _ in 0..9 {
            ring_buffer.push(1, EncodedFrame::new(Frame::text(&"x".repeat(1 << 20)), false), vec![]);
        }
        assert_eq!(ring_buffer.frames_from(0, false).count(), 7);
        ring_buffer.trim(1 + RING_AGE_MAX_MS);
        assert_eq!(ring_buffer.frames_from(0, true).count(), 0);
    }
}
