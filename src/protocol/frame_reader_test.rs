//! Tests of the frame reader: a table of byte strings, and seeded mutations and cuts.

use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use super::*;

/// A client frame, masked.
pub fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 0xf4];
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(0..).map(|(byte, place)| byte ^ mask[place % 4]));
    out
}

pub fn read(reader: &mut FrameReader, mut input: &[u8]) -> Result<Vec<IncomingMessage>, BadFrame> {
    let mut all = Vec::new();
    while let Some(incoming) = reader.next(&mut input)? {
        all.push(incoming);
    }
    assert!(input.is_empty());
    Ok(all)
}

pub fn read_all(input: &[u8]) -> Result<Vec<IncomingMessage>, BadFrame> {
    read(&mut FrameReader::default(), input)
}

pub fn text(text: &str) -> IncomingMessage {
    IncomingMessage::Text(text.into())
}

#[test]
fn valid_frames_are_read() {
    let long = "x".repeat(MESSAGE_BYTES_MAX);
    for (name, bytes, expected) in [
        ("text", client(0x81, b"hi"), vec![text("hi")]),
        ("empty text", client(0x81, b""), vec![text("")]),
        ("126 bytes", client(0x81, &[b'x'; 126]), vec![text(&"x".repeat(126))]),
        ("the largest", client(0x81, long.as_bytes()), vec![text(&long)]),
        ("two in one read", [client(0x81, b"a"), client(0x81, b"b")].concat(), vec![text("a"), text("b")]),
        (
            "fragments with a ping between, a letter cut in two",
            [client(0x01, b"a\xd8"), client(0x89, b"?"), client(0x00, b"\xa7"), client(0x80, b"c")].concat(),
            vec![IncomingMessage::Ping(b"?".to_vec()), text("aاc")],
        ),
        ("binary", client(0x82, &[0xff; 40]), vec![IncomingMessage::Binary]),
        ("pong", client(0x8a, b"1"), vec![IncomingMessage::Pong]),
        ("largest ping", client(0x89, &[7; 125]), vec![IncomingMessage::Ping(vec![7; 125])]),
        ("close", client(0x88, b"\x03\xe8bye"), vec![IncomingMessage::Close(Some(1000))]),
        ("close without a code", client(0x88, b""), vec![IncomingMessage::Close(None)]),
    ] {
        assert_eq!(read_all(&bytes), Ok(expected), "{name}");
    }
}

#[test]
fn invalid_frames_are_refused() {
    let half = vec![b'x'; MESSAGE_BYTES_MAX / 2 + 1];
    for (name, bytes, expected) in [
        ("unmasked", vec![0x81, 0x02, b'h', b'i'], BadFrame::Unmasked),
        ("compressed", client(0xc1, b"hi"), BadFrame::ReservedBit),
        ("opcode 3", client(0x83, b""), BadFrame::Opcode),
        ("opcode 11", client(0x8b, b""), BadFrame::Opcode),
        ("fragmented ping", client(0x09, b""), BadFrame::Control),
        ("ping of 126", client(0x89, &[0; 126]), BadFrame::Control),
        ("continuation without a start", client(0x80, b"x"), BadFrame::Fragment),
        ("text inside text", [client(0x01, b"a"), client(0x81, b"b")].concat(), BadFrame::Fragment),
        ("125 written in two bytes", [&[0x81, 0xfe, 0, 125][..], &[0; 4]].concat(), BadFrame::Length),
        (
            "65,535 written in eight",
            [&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 255, 255][..], &[0; 4]].concat(),
            BadFrame::Length,
        ),
        ("declares 2^63 bytes", [&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &[0; 4]].concat(), BadFrame::TooBig),
        ("one byte too long", client(0x81, &vec![b'x'; MESSAGE_BYTES_MAX + 1]), BadFrame::TooBig),
        ("too long in two pieces", [client(0x01, &half), client(0x80, &half)].concat(), BadFrame::TooBig),
        ("too long in binary pieces", [client(0x02, &half), client(0x80, &half)].concat(), BadFrame::TooBig),
        ("not UTF-8", client(0x81, b"\xff"), BadFrame::Utf8),
        ("half a letter", client(0x81, b"\xd8"), BadFrame::Utf8),
        ("close of one byte", client(0x88, b"\x03"), BadFrame::CloseCode),
        ("close 1005", client(0x88, b"\x03\xed"), BadFrame::CloseCode),
        ("close reason not UTF-8", client(0x88, b"\x03\xe8\xff"), BadFrame::Utf8),
    ] {
        assert_eq!(read_all(&bytes), Err(expected), "{name}");
    }
}

#[test]
fn declared_length_allocates_nothing() {
    let mut reader = FrameReader::default();
    let mut start = client(0x81, &[b'x'; MESSAGE_BYTES_MAX]);
    start.truncate(8 + 3);
    assert_eq!(read(&mut reader, &start), Ok(vec![]));
    assert!(reader.buffered_bytes() < 64, "{}", reader.buffered_bytes());
}

#[test]
fn no_bytes_are_buffered_between_messages() {
    let mut reader = FrameReader::default();
    read(&mut reader, &[client(0x81, &[b'x'; 9_000]), client(0x89, &[1; 100])].concat()).unwrap();
    assert_eq!(reader.buffered_bytes(), 0);
}

/// Random messages, fragmented at random, with control frames in between.
fn random_messages(random: &mut SmallRng) -> (Vec<u8>, Vec<IncomingMessage>) {
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..random.random_range(1..6) {
        let length = *[0, 1, 5, 125, 126, 127, 4_000].get(random.random_range(0..7)).unwrap();
        let content: String = (0..length).map(|_| *['a', 'ا', '😀'].get(random.random_range(0..3)).unwrap()).collect();
        let content = if content.len() > MESSAGE_BYTES_MAX { "long".to_owned() } else { content };
        let is_text = random.random_range(0..4) > 0;
        let mut rest = content.as_bytes();
        let mut opcode = if is_text { TEXT } else { BINARY };
        while random.random_range(0..3) == 0 {
            let (piece, after) = rest.split_at(random.random_range(0..=rest.len()));
            rest = after;
            bytes.extend(client(opcode, piece));
            opcode = CONTINUATION;
            if random.random() {
                bytes.extend(client(0x89, b"now"));
                expected.push(IncomingMessage::Ping(b"now".to_vec()));
            }
        }
        bytes.extend(client(0x80 | opcode, rest));
        expected.push(if is_text { IncomingMessage::Text(content) } else { IncomingMessage::Binary });
    }
    (bytes, expected)
}

#[test]
fn cuts_of_the_bytes_do_not_change_the_messages() {
    let mut random = SmallRng::seed_from_u64(11);
    for round in 0..2_000 {
        let (bytes, expected) = random_messages(&mut random);
        let mut reader = FrameReader::default();
        let (mut rest, mut seen) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let longest = if round % 2 == 0 { 7 } else { 3_000 };
            let (now, after) = rest.split_at(random.random_range(0..=longest.min(rest.len())));
            seen.extend(read(&mut reader, now).unwrap());
            rest = after;
        }
        assert_eq!(seen, expected, "round {round}");
        assert_eq!(reader.buffered_bytes(), 0);
    }
}

#[test]
fn mutated_bytes_never_panic_and_never_exceed_the_buffer_limit() {
    let mut random = SmallRng::seed_from_u64(12);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = if random.random_range(0..4) == 0 {
            let mut noise = vec![0; random.random_range(0..200)];
            random.fill_bytes(&mut noise);
            noise
        } else {
            random_messages(&mut random).0
        };
        for _ in 0..random.random_range(1..5) {
            if !bytes.is_empty() {
                let place = random.random_range(0..bytes.len().min(40));
                bytes[place] = random.random();
            }
        }
        let mut reader = FrameReader::default();
        for piece in bytes.chunks(random.random_range(1..5_000)) {
            let outcome = read(&mut reader, piece);
            assert!(reader.buffered_bytes() <= 2 * MESSAGE_BYTES_MAX + 256, "{}", reader.buffered_bytes());
            if outcome.is_err() {
                refused += 1;
                break;
            }
        }
    }
    assert!(refused > 5_000, "only {refused} were refused: the mutations have no effect");
}
