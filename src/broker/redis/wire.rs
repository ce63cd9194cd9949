//! The messages between nodes, as bytes. The first byte is the kind; an unknown kind (from a newer node) is ignored.
//!
//! `L<epoch> <first> <parts>` numbered events · `S<node><parts>` state values · `P<node>(<user><part>)…` order frames
//! (none at all: some may have been lost) · `K<node>(<session><number><time>)…` sessions that joined · `B<node><number>` a
//! heartbeat. A part is its length in four bytes, then its bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::SessionJoined;
use crate::domain::{Millis, UserId};

/// The id of a node in messages, chosen at random at its start.
pub type NodeId = [u8; 16];

#[derive(PartialEq, Debug)]
pub enum WireMessage {
    Events { epoch: String, first_seq: u64, bodies: Vec<Bytes> },
    State { node: NodeId, bodies: Vec<Bytes> },
    UserFrames { node: NodeId, frames: Vec<(UserId, Bytes)> },
    Joins { node: NodeId, sessions: Vec<SessionJoined> },
    Heartbeat { node: NodeId, number: u64 },
}

pub fn encode_parts<'a>(parts: impl IntoIterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut out = Vec::new();
    parts.into_iter().for_each(|part| write_part(&mut out, part));
    out
}

pub fn encode_state<'a>(node: NodeId, bodies: impl IntoIterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut out = header(b'S', node);
    bodies.into_iter().for_each(|body| write_part(&mut out, body));
    out
}

pub fn encode_user_frames<'a>(node: NodeId, frames: impl IntoIterator<Item = &'a (UserId, Bytes)>) -> Vec<u8> {
    let mut out = header(b'P', node);
    for (user, frame) in frames {
        write_part(&mut out, user.as_str().as_bytes());
        write_part(&mut out, frame);
    }
    out
}

pub fn encode_joins<'a>(node: NodeId, sessions: impl IntoIterator<Item = &'a SessionJoined>) -> Vec<u8> {
    let mut out = header(b'K', node);
    for session in sessions {
        out.extend_from_slice(&session.session_digest);
        out.extend_from_slice(&session.join_number.to_le_bytes());
        out.extend_from_slice(&session.joined_at.to_le_bytes());
    }
    out
}

pub fn encode_heartbeat(node: NodeId, number: u64) -> Vec<u8> {
    let mut out = header(b'B', node);
    out.extend_from_slice(&number.to_le_bytes());
    out
}

fn header(kind: u8, node: NodeId) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&node);
    out
}

fn write_part(out: &mut Vec<u8>, part: &[u8]) {
    out.put_u32_le(part.len() as u32);
    out.extend_from_slice(part);
}

/// `None`: this version does not know the message.
pub fn decode(mut bytes: Bytes) -> Option<WireMessage> {
    let kind = *bytes.first()?;
    bytes.advance(1);
    if kind == b'L' {
        return decode_events(bytes);
    }
    let node: NodeId = bytes.get(..16)?.try_into().ok()?;
    bytes.advance(16);
    Some(match kind {
        b'S' => WireMessage::State { node, bodies: decode_parts(bytes)? },
        b'P' => {
            let parts = decode_parts(bytes)?;
            let pair = |pair: &[Bytes]| {
                let user = UserId::parse(std::str::from_utf8(&pair[0]).ok()?).ok()?;
                Some((user, pair.get(1)?.clone()))
            };
            WireMessage::UserFrames { node, frames: parts.chunks(2).map(pair).collect::<Option<_>>()? }
        }
        b'K' => {
            let session = |bytes: &[u8]| {
                Some(SessionJoined {
                    session_digest: bytes.get(..16)?.try_into().ok()?,
                    join_number: u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?),
                    joined_at: Millis::from_le_bytes(bytes.get(24..32)?.try_into().ok()?),
                })
            };
            WireMessage::Joins { node, sessions: bytes.chunks(32).map(session).collect::<Option<_>>()? }
        }
        b'B' => WireMessage::Heartbeat { node, number: u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?) },
        _ => return None,
    })
}

/// Decodes what follows the `L`.
fn decode_events(mut bytes: Bytes) -> Option<WireMessage> {
    let epoch = take_token(&mut bytes)?;
    let first_seq = take_token(&mut bytes)?.parse().ok()?;
    Some(WireMessage::Events { epoch, first_seq, bodies: decode_parts(bytes)? })
}

fn take_token(bytes: &mut Bytes) -> Option<String> {
    let end = bytes.iter().take(64).position(|byte| *byte == b' ')?;
    let word = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
    bytes.advance(end + 1);
    Some(word)
}

/// Each part is copied out: a slice would keep the bytes of its whole batch alive for as long as one event is
/// remembered.
fn decode_parts(mut bytes: Bytes) -> Option<Vec<Bytes>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.try_get_u32_le().ok()? as usize;
        let part = bytes.get(..length)?;
        parts.push(BytesMut::from(part).freeze());
        bytes.advance(length);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = [7; 16];

    fn bodies() -> Vec<Bytes> {
        ["", "a", "{\"at\":1} \u{643}"].map(|body| Bytes::copy_from_slice(body.as_bytes())).to_vec()
    }

    #[test]
    fn messages_survive_encoding_and_decoding() {
        let frames = vec![(UserId::parse("u1").unwrap(), Bytes::from_static(b"frame"))];
        let sessions = vec![
            SessionJoined { session_digest: [1; 16], join_number: 1, joined_at: 1 },
            SessionJoined { session_digest: [2; 16], join_number: u64::MAX, joined_at: Millis::MIN },
        ];
        let log = [b"Le1 42 ".to_vec(), encode_parts(&bodies())].concat();
        for (bytes, message) in [
            (log, WireMessage::Events { epoch: "e1".into(), first_seq: 42, bodies: bodies() }),
            (encode_state(NODE, &bodies()), WireMessage::State { node: NODE, bodies: bodies() }),
            (encode_user_frames(NODE, &frames), WireMessage::UserFrames { node: NODE, frames }),
            (encode_joins(NODE, &sessions), WireMessage::Joins { node: NODE, sessions }),
            (encode_heartbeat(NODE, 3), WireMessage::Heartbeat { node: NODE, number: 3 }),
        ] {
            assert_eq!(decode(bytes.into()), Some(message));
        }
    }

    #[test]
    fn truncated_messages_are_rejected() {
        let log = [b"Le1 42 ".to_vec(), encode_parts(&bodies())].concat();
        let whole = [
            log,
            encode_state(NODE, &bodies()),
            encode_heartbeat(NODE, 3),
            encode_joins(NODE, &[SessionJoined { session_digest: [1; 16], join_number: 1, joined_at: 1 }]),
        ];
        for bytes in whole {
            assert_eq!(decode(Bytes::from(bytes).slice(..20)), None);
        }
        for odd in ["", "X", "L", "Le1", "Le1 x ", "Le1 1 \u{1}\0\0\0", "S", "P0123456789abcdef\u{1}\0\0\0a"] {
            assert_eq!(decode(Bytes::copy_from_slice(odd.as_bytes())), None, "{odd:?}");
        }
    }
}
