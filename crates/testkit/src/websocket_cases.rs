//! The parser of `tests/corpus/websocket/frames.txt`, for the test of the frame reader and the test over real sockets.

/// One row of the corpus.
#[derive(Debug)]
pub struct FrameCase {
    pub name: &'static str,
    /// permessage-deflate is negotiated.
    pub deflate: bool,
    /// What the client sends.
    pub bytes: Vec<u8>,
    pub expected: Vec<Expected>,
}

/// What the server must make of it. Nothing more may follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    Text(Vec<u8>),
    /// Answered by a pong with the same payload.
    Ping(Vec<u8>),
    /// The client closes, with this code.
    Close(Option<u16>),
    /// The server closes, with this code.
    Fail(u16),
}

pub fn frame_cases() -> Vec<FrameCase> {
    let rows = include_str!("../../../tests/corpus/websocket/frames.txt")
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'));
    rows.map(|row| {
        let [name, mode, frames, expected] = row.split(" | ").collect::<Vec<_>>()[..] else { panic!("{row}") };
        assert!(["plain", "deflate"].contains(&mode), "{row}");
        let bytes = frames.split(' ').flat_map(frame).collect();
        let expected = expected.split(' ').filter(|item| *item != "open").map(expected_item).collect();
        FrameCase { name, deflate: mode == "deflate", bytes, expected }
    })
    .collect()
}

fn frame(text: &str) -> Vec<u8> {
    if let Some(raw) = text.strip_prefix('=') {
        return from_hex(raw);
    }
    let (first, content) = text.split_once(':').expect("a first byte and a payload");
    masked(from_hex(first)[0], &payload(content))
}

fn expected_item(text: &str) -> Expected {
    let (kind, content) = text.split_once(':').expect("a kind and its content");
    match kind {
        "text" => Expected::Text(payload(content)),
        "ping" => Expected::Ping(payload(content)),
        "close" => Expected::Close((content != "none").then(|| content.parse().expect("a code"))),
        "fail" => Expected::Fail(content.parse().expect("a code")),
        _ => panic!("{text}"),
    }
}

fn payload(text: &str) -> Vec<u8> {
    if let Some((count, character)) = text.split_once('*') {
        return character.replace('_', " ").repeat(count.parse().expect("a number")).into_bytes();
    }
    match (text.strip_prefix('x'), text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''))) {
        (Some(hex), _) => from_hex(hex),
        (_, Some(quoted)) => quoted.as_bytes().to_vec(),
        _ if text.is_empty() => Vec::new(),
        _ => panic!("{text}"),
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex digits")).collect()
}

/// A frame of a client, masked.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x1d, 0x02, 0x03, 0xf4];
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
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(0..).map(|(byte, place)| byte ^ MASK[place % 4]));
    out
}
