//! Server frames: the JSON of each frame, assembled from parts that are already encoded.

use bytes::Bytes;
use serde::Serialize;

use super::{EncodedEvent, Frame, RefusalFacts, RoomState, deflate};
use crate::domain::{MessageId, Millis, Refusal};

/// Why a viewer gets a new snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotReason {
    /// This node missed events that are no longer in the history.
    Hole,
    /// The room started a new epoch.
    Epoch,
    /// The viewer was too slow (backpressure).
    Slow,
}

impl SnapshotReason {
    fn name(self) -> &'static str {
        match self {
            SnapshotReason::Hole => "hole",
            SnapshotReason::Epoch => "epoch",
            SnapshotReason::Slow => "slow",
        }
    }
}

/// A tick: the new events, and the changed values of `state`, which count as sent afterwards.
pub fn tick<'a>(seq: u64, events: impl IntoIterator<Item = &'a (u64, EncodedEvent)>, state: &mut RoomState) -> Frame {
    Frame::build(|out| {
        append(out, format_args!(r#"{{"t":"tick","seq":{seq}"#));
        let mut events = events.into_iter().peekable();
        if events.peek().is_some() {
            out.extend_from_slice(br#","events":"#);
            write_events(out, events);
        }
        if state.has_unsent() {
            out.extend_from_slice(br#","state":"#);
            state.write_unsent(out);
        }
        out.push(b'}');
    })
}

/// A snapshot of everything, for a viewer whose position cannot be continued.
pub fn snapshot<'a>(
    reason: SnapshotReason,
    epoch: &str,
    seq: u64,
    events: impl IntoIterator<Item = &'a (u64, EncodedEvent)>,
    state: &RoomState,
) -> Frame {
    Frame::build(|out| {
        append(out, format_args!(r#"{{"t":"snapshot","why":"{}","recovered":false,"#, reason.name()));
        write_all(out, epoch, seq, events, state);
    })
}

/// The part of hello that all viewers share who join at this moment.
pub fn hello_tail<'a>(
    epoch: &str,
    seq: u64,
    events: impl IntoIterator<Item = &'a (u64, EncodedEvent)>,
    state: &RoomState,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    write_all(&mut out, epoch, seq, events, state);
    out
}

/// The part of hello for one viewer. `you` is a JSON value.
#[derive(Clone, Copy, Debug)]
pub struct HelloHead<'a> {
    pub recovered: bool,
    pub now: Millis,
    pub you: &'a [u8],
    /// The client should confirm that the card of the pinned offer is on the screen.
    pub receipts: bool,
}

/// The part of a frame that many viewers share: its JSON, and its compressed form when that saves enough and a viewer has negotiated
/// compression.
#[derive(Clone, Debug)]
pub struct SharedTail {
    pub plain: Bytes,
    pub compressed: Option<Bytes>,
}

/// The hello of one viewer: the viewer's own part, then the shared `tail`. It is compressed when `deflate` is true and the tail has a
/// compressed form.
pub fn hello(hello_head: &HelloHead, tail: &SharedTail, deflate: bool) -> Frame {
    let HelloHead { recovered, now, you, receipts } = hello_head;
    let write_head = |out: &mut Vec<u8>| {
        append(out, format_args!(r#"{{"t":"hello","recovered":{recovered},"now":{now},"you":"#));
        out.extend_from_slice(you);
        if *receipts {
            out.extend_from_slice(br#","receipts":true"#);
        }
        out.push(b',');
    };
    match tail.compressed.as_ref().filter(|_| deflate) {
        None => Frame::build(|out| {
            write_head(out);
            out.extend_from_slice(&tail.plain);
        }),
        Some(compressed) => Frame::build_deflated(|out| {
            let mut own = Vec::with_capacity(256);
            write_head(&mut own);
            deflate::write_stored_blocks(&own, out);
            out.extend_from_slice(compressed);
        }),
    }
}

/// The values of the state lane that changed after this revision, for viewers who get the state lane only: the end of their frame.
/// `None`: nothing changed.
pub fn state_tail(state: &RoomState, after: u64) -> Option<Vec<u8>> {
    let mut out = br#""state":"#.to_vec();
    let start = out.len();
    state.write_since(after, &mut out);
    (&out[start..] != b"{}").then(|| {
        out.push(b'}');
        out
    })
}

/// A tick with the state lane only, for a viewer who gets no events after `seq`. It is compressed when `deflate` is true and the tail
/// has a compressed form.
pub fn state_tick(seq: u64, tail: &SharedTail, deflate: bool) -> Frame {
    let head = format!(r#"{{"t":"tick","seq":{seq},"#);
    match tail.compressed.as_ref().filter(|_| deflate) {
        None => Frame::build(|out| {
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(&tail.plain);
        }),
        Some(compressed) => Frame::build_deflated(|out| {
            deflate::write_stored_blocks(head.as_bytes(), out);
            out.extend_from_slice(compressed);
        }),
    }
}

/// `{"t":"reply","ref":…,"ok":…}`. When the request had no `ref`, the `ref` of the reply is null.
pub fn reply(reference: Option<&str>, ok: &impl Serialize) -> Frame {
    Frame::build(|out| {
        append(out, format_args!(r#"{{"t":"reply","ref":{},"ok":"#, json(&reference)));
        out.extend_from_slice(json(ok).as_bytes());
        out.push(b'}');
    })
}

/// `{"t":"reply","ref":…,"error":{"code","message","retry_ms"}}`
pub fn reply_error(reference: Option<&str>, code: &str, message: &str, retry_ms: Option<Millis>) -> Frame {
    Frame::build(|out| {
        write_error(out, reference, code, message, retry_ms);
        out.extend_from_slice(b"}}");
    })
}

/// The error reply for a refusal, with the same facts as over REST.
pub fn reply_refused(reference: Option<&str>, refusal: &Refusal) -> Frame {
    Frame::build(|out| {
        write_error(out, reference, refusal.code(), &refusal.to_string(), refusal.retry_ms());
        let facts = json(&RefusalFacts::from(refusal));
        if let Some(fields) =
            facts.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|it| !it.is_empty())
        {
            append(out, format_args!(",{fields}"));
        }
        out.extend_from_slice(b"}}");
    })
}

fn write_error(out: &mut Vec<u8>, reference: Option<&str>, code: &str, message: &str, retry_ms: Option<Millis>) {
    append(out, format_args!(r#"{{"t":"reply","ref":{},"error":{{"code":{}"#, json(&reference), json(&code)));
    append(out, format_args!(r#","message":{},"retry_ms":{}"#, json(&message), json(&retry_ms)));
}

/// For the buyer: an order of this buyer changed.
pub fn order(order: &impl Serialize) -> Frame {
    Frame::build(|out| append(out, format_args!(r#"{{"t":"order","order":{}}}"#, json(order))))
}

/// For the team: a message entered the review queue.
pub fn review(message: &impl Serialize) -> Frame {
    Frame::build(|out| append(out, format_args!(r#"{{"t":"review","message":{}}}"#, json(message))))
}

/// For the team: a message left the review queue.
pub fn reviewed(id: MessageId) -> Frame {
    Frame::build(|out| append(out, format_args!(r#"{{"t":"review","reviewed":"{id}"}}"#)))
}

/// An audit log entry, for the affected user. The team reads the log over REST.
pub fn audit(entry: &impl Serialize) -> Frame {
    Frame::build(|out| append(out, format_args!(r#"{{"t":"audit","entry":{}}}"#, json(entry))))
}

/// Asks the client to open a new connection and then to close this one.
pub fn moving(retry_ms: Millis) -> Frame {
    Frame::build(|out| append(out, format_args!(r#"{{"t":"moving","retry_ms":{retry_ms}}}"#)))
}

fn write_all<'a>(
    out: &mut Vec<u8>,
    epoch: &str,
    seq: u64,
    events: impl IntoIterator<Item = &'a (u64, EncodedEvent)>,
    state: &RoomState,
) {
    append(out, format_args!(r#""epoch":{},"seq":{seq},"stream":"#, json(&epoch)));
    out.extend_from_slice(state.stream());
    out.extend_from_slice(br#","events":"#);
    write_events(out, events);
    out.extend_from_slice(br#","state":"#);
    state.write_all(out);
    out.push(b'}');
}

fn write_events<'a>(out: &mut Vec<u8>, events: impl IntoIterator<Item = &'a (u64, EncodedEvent)>) {
    out.push(b'[');
    for (place, (seq, event)) in events.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        event.write_with_seq(*seq, out);
    }
    out.push(b']');
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments) {
    // Writing to a vector cannot fail.
    let _ = std::io::Write::write_fmt(out, text);
}

/// Encodes one of our own types. They have text keys and no failing `Serialize`; if one failed, the frame would still be valid JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Event;
    use crate::protocol::StateChange;

    fn text(frame: Frame) -> String {
        let bytes = frame.into_bytes();
        let start = if bytes[1] < 126 { 2 } else { 4 };
        String::from_utf8(bytes[start..].to_vec()).unwrap()
    }

    fn events() -> Vec<(u64, EncodedEvent)> {
        vec![(42, EncodedEvent::new(100, &Event::Unpinned {})), (43, EncodedEvent::new(120, &Event::Ended {}))]
    }

    const STATE: &str = r#"{"pin":null,"offers":{},"viewers":7,"likes":0,"chat":{"slow_ms":0,"notice":null}}"#;
    const EVENTS: &str = r#"[{"seq":42,"at":100,"type":"unpinned"},{"seq":43,"at":120,"type":"ended"}]"#;

    fn state() -> RoomState {
        let mut state = RoomState::default();
        state.set_viewers(7);
        state.set(StateChange::Stream { v: [0, 0], json: r#"{"id":"s"}"#.into() });
        state
    }

    #[test]
    fn tick_leaves_out_empty_parts() {
        let mut state = state();
        assert_eq!(
            text(tick(43, &events(), &mut state)),
            format!(r#"{{"t":"tick","seq":43,"events":{EVENTS},"state":{{"viewers":7}}}}"#)
        );
        assert_eq!(text(tick(43, &events(), &mut state)), format!(r#"{{"t":"tick","seq":43,"events":{EVENTS}}}"#));
        state.set_viewers(8);
        assert_eq!(text(tick(43, &[], &mut state)), r#"{"t":"tick","seq":43,"state":{"viewers":8}}"#);
    }

    #[test]
    fn hello_has_an_own_head_and_a_shared_tail() {
        let tail = hello_tail("e\"1", 43, &events(), &state());
        let compressed = deflate::compress(tail.repeat(4).as_slice()).map(Bytes::from);
        let tail = SharedTail { plain: tail.into(), compressed: None };
        let hello_head = HelloHead { recovered: true, now: 1_760, you: br#"{"id":"u"}"#, receipts: false };
        let expected = format!(r#""epoch":"e\"1","seq":43,"stream":{{"id":"s"}},"events":{EVENTS},"state":{STATE}}}"#);
        assert_eq!(
            text(hello(&hello_head, &tail, true)),
            format!(r#"{{"t":"hello","recovered":true,"now":1760,"you":{{"id":"u"}},{expected}"#)
        );
        let with_receipts = HelloHead { receipts: true, ..hello_head };
        let head = r#"{"t":"hello","recovered":true,"now":1760,"you":{"id":"u"},"receipts":true,"#;
        assert_eq!(text(hello(&with_receipts, &tail, false)), format!("{head}{expected}"));
        assert!(compressed.is_some());
        let frame = hello(&with_receipts, &SharedTail { compressed, ..tail }, true).into_bytes();
        assert_eq!(frame[0], 0xc1);
        let decompressed = deflate::decompress(&frame[4..], 10_000).unwrap();
        assert_eq!(String::from_utf8(decompressed).unwrap(), format!("{head}{}", expected.repeat(4)));
    }

    #[test]
    fn state_tick_does_not_move_the_position() {
        let mut state = state();
        let shared = |state: &RoomState, after| {
            let plain = state_tail(state, after).unwrap();
            SharedTail { compressed: deflate::compress(&plain).map(Bytes::from), plain: plain.into() }
        };
        let tick = state_tick(9, &shared(&state, 0), true);
        assert_eq!(text(tick), r#"{"t":"tick","seq":9,"state":{"viewers":7}}"#, "too short to compress");
        assert!(state_tail(&state, state.revision()).is_none(), "nothing changed");
        let seen = state.revision();
        let notice = format!(r#"{{"slow_ms":0,"notice":"{}"}}"#, "Free delivery today. ".repeat(100));
        state.set(StateChange::Chat { v: [1, 1], json: notice.clone().into() });
        let expected = format!(r#"{{"t":"tick","seq":9,"state":{{"chat":{notice}}}}}"#);
        assert_eq!(text(state_tick(9, &shared(&state, seen), false)), expected);
        let frame = state_tick(9, &shared(&state, seen), true).into_bytes();
        assert!(frame[0] == 0xc1 && frame.len() < expected.len() / 2, "{} bytes", frame.len());
        let head = if frame[1] < 126 { 2 } else { 4 };
        assert_eq!(deflate::decompress(&frame[head..], 10_000).unwrap(), expected.as_bytes());
    }

    #[test]
    fn snapshot_has_a_reason() {
        assert_eq!(
            text(snapshot(SnapshotReason::Slow, "e1", 90, &[], &state())),
            format!(
                r#"{{"t":"snapshot","why":"slow","recovered":false,"epoch":"e1","seq":90,"stream":{{"id":"s"}},"events":[],"state":{STATE}}}"#
            )
        );
    }

    #[test]
    fn reply_has_the_ref_of_its_request() {
        for (frame, expected) in [
            (reply(Some("7"), &serde_json::json!({"id": 1})), r#"{"t":"reply","ref":"7","ok":{"id":1}}"#),
            (
                reply_refused(Some("7"), &Refusal::SoldOut),
                r#"{"t":"reply","ref":"7","error":{"code":"sold_out","message":"Sold out.","retry_ms":null}}"#,
            ),
            (
                reply_refused(Some("7"), &Refusal::TooFewLeft { left: 2 }),
                r#"{"t":"reply","ref":"7","error":{"code":"too_few_left","message":"Only 2 left.","retry_ms":null,"left":2}}"#,
            ),
            (
                reply_refused(Some("7"), &Refusal::NotOpen { opens_at: Some(900), now: 100 }),
                r#"{"t":"reply","ref":"7","error":{"code":"not_open","message":"The sale is not open.","retry_ms":800,"opens_at":900,"now":100}}"#,
            ),
            (
                reply_refused(None, &Refusal::bad_field("qty", "is required.")),
                r#"{"t":"reply","ref":null,"error":{"code":"bad_request","message":"qty is required.","retry_ms":null,"field":"qty"}}"#,
            ),
            (
                reply_error(None, "busy", "\"", Some(5)),
                r#"{"t":"reply","ref":null,"error":{"code":"busy","message":"\"","retry_ms":5}}"#,
            ),
            (order(&serde_json::json!({})), r#"{"t":"order","order":{}}"#),
            (moving(800), r#"{"t":"moving","retry_ms":800}"#),
        ] {
            assert_eq!(text(frame), expected);
        }
    }
}
