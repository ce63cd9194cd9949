//! The bytes on the bus. The first one says what it is; a kind that is unknown here (a newer node's) is ignored.
//!
//! `L<epoch> <first> <parts>` numbered events · `S<node><parts>` values · `P<node>(<user><part>)…` order frames (none
//! at all: some may have been lost) ·
//! `J<node>(<who><number>)…` sessions that came in · `B<node><number>` a beat. A part is its length in four bytes, then itself.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::Joined;
use crate::domain::UserId;

/// A node's name on the bus: made up at its start.
pub type NodeName = [u8; 16];

#[derive(PartialEq, Debug)]
pub enum Message {
    Log { epoch: String, first: u64, bodies: Vec<Bytes> },
    State { node: NodeName, bodies: Vec<Bytes> },
    People { node: NodeName, frames: Vec<(UserId, Bytes)> },
    Joined { node: NodeName, sessions: Vec<Joined> },
    Beat { node: NodeName, number: u64 },
}

pub fn parts<'a>(parts: impl IntoIterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut out = Vec::new();
    parts.into_iter().for_each(|part| put_part(&mut out, part));
    out
}

pub fn state<'a>(node: NodeName, bodies: impl IntoIterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut out = head(b'S', node);
    bodies.into_iter().for_each(|body| put_part(&mut out, body));
    out
}

pub fn people<'a>(node: NodeName, frames: impl IntoIterator<Item = &'a (UserId, Bytes)>) -> Vec<u8> {
    let mut out = head(b'P', node);
    for (user, frame) in frames {
        put_part(&mut out, user.as_str().as_bytes());
        put_part(&mut out, frame);
    }
    out
}

pub fn joined<'a>(node: NodeName, sessions: impl IntoIterator<Item = &'a Joined>) -> Vec<u8> {
    let mut out = head(b'J', node);
    for session in sessions {
        out.extend_from_slice(&session.who);
        out.extend_from_slice(&session.number.to_le_bytes());
    }
    out
}

pub fn beat(node: NodeName, number: u64) -> Vec<u8> {
    let mut out = head(b'B', node);
    out.extend_from_slice(&number.to_le_bytes());
    out
}

fn head(kind: u8, node: NodeName) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&node);
    out
}

fn put_part(out: &mut Vec<u8>, part: &[u8]) {
    out.put_u32_le(part.len() as u32);
    out.extend_from_slice(part);
}

/// `None`: not a message this version knows.
pub fn read(mut bytes: Bytes) -> Option<Message> {
    let kind = *bytes.first()?;
    bytes.advance(1);
    if kind == b'L' {
        return read_log(bytes);
    }
    let node: NodeName = bytes.get(..16)?.try_into().ok()?;
    bytes.advance(16);
    Some(match kind {
        b'S' => Message::State { node, bodies: read_parts(bytes)? },
        b'P' => {
            let parts = read_parts(bytes)?;
            let pair = |pair: &[Bytes]| {
                let user = UserId::parse(std::str::from_utf8(&pair[0]).ok()?).ok()?;
                Some((user, pair.get(1)?.clone()))
            };
            Message::People { node, frames: parts.chunks(2).map(pair).collect::<Option<_>>()? }
        }
        b'J' => {
            let session = |bytes: &[u8]| {
                let number = u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?);
                Some(Joined { who: bytes.get(..16)?.try_into().ok()?, number })
            };
            Message::Joined { node, sessions: bytes.chunks(24).map(session).collect::<Option<_>>()? }
        }
        b'B' => Message::Beat { node, number: u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?) },
        _ => return None,
    })
}

/// What follows the `L`.
fn read_log(mut bytes: Bytes) -> Option<Message> {
    let epoch = word(&mut bytes)?;
    let first = word(&mut bytes)?.parse().ok()?;
    Some(Message::Log { epoch, first, bodies: read_parts(bytes)? })
}

fn word(bytes: &mut Bytes) -> Option<String> {
    let end = bytes.iter().take(64).position(|byte| *byte == b' ')?;
    let word = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
    bytes.advance(end + 1);
    Some(word)
}

/// Each part is copied out: a slice would keep the bytes of its whole batch alive for as long as one event is remembered.
fn read_parts(mut bytes: Bytes) -> Option<Vec<Bytes>> {
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

    const NODE: NodeName = [7; 16];

    fn bodies() -> Vec<Bytes> {
        ["", "a", "{\"at\":1} \u{643}"].map(|body| Bytes::copy_from_slice(body.as_bytes())).to_vec()
    }

    #[test]
    fn a_message_is_the_same_on_the_other_node() {
        let frames = vec![(UserId::parse("u1").unwrap(), Bytes::from_static(b"frame"))];
        let sessions = vec![Joined { who: [1; 16], number: 1 }, Joined { who: [2; 16], number: u64::MAX }];
        let log = [b"Le1 42 ".to_vec(), parts(&bodies())].concat();
        for (bytes, message) in [
            (log, Message::Log { epoch: "e1".into(), first: 42, bodies: bodies() }),
            (state(NODE, &bodies()), Message::State { node: NODE, bodies: bodies() }),
            (people(NODE, &frames), Message::People { node: NODE, frames }),
            (joined(NODE, &sessions), Message::Joined { node: NODE, sessions }),
            (beat(NODE, 3), Message::Beat { node: NODE, number: 3 }),
        ] {
            assert_eq!(read(bytes.into()), Some(message));
        }
    }

    #[test]
    fn what_is_cut_short_is_no_message() {
        let log = [b"Le1 42 ".to_vec(), parts(&bodies())].concat();
        let whole = [log, state(NODE, &bodies()), beat(NODE, 3), joined(NODE, &[Joined { who: [1; 16], number: 1 }])];
        for bytes in whole {
            assert_eq!(read(Bytes::from(bytes).slice(..20)), None);
        }
        for odd in ["", "X", "L", "Le1", "Le1 x ", "Le1 1 \u{1}\0\0\0", "S", "P0123456789abcdef\u{1}\0\0\0a"] {
            assert_eq!(read(Bytes::copy_from_slice(odd.as_bytes())), None, "{odd:?}");
        }
    }
}
