//! WebSocket frames for the simulated viewers: a parser for received bytes, frames to send, and the handshake.
//!
//! Fifteen thousand connections share one read buffer, so nothing here owns bytes: a frame is a slice of the buffer.
//! This is why the load test has its own parser and does not use the `client` crate: a client with a task, buffers and
//! an owned string for each connection would make the load test slower than the server that it measures.

use rand::RngExt;
use tungstenite::handshake::{client::generate_key, derive_accept_key};

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// No valid frame of this protocol is nearly this long; a larger length is garbage.
const PAYLOAD_MAX: u64 = 16 * 1024 * 1024;
/// A longer response to our handshake is invalid.
const HEAD_MAX: usize = 16 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawFrame<'a> {
    pub is_final: bool,
    /// The message that begins here is compressed (permessage-deflate).
    pub is_deflated: bool,
    pub opcode: u8,
    pub payload: &'a [u8],
}

/// The first frame in `bytes` and its length in bytes. `None` while it is incomplete, `Err` when it is invalid.
/// `deflate` says that compression was offered.
pub fn parse_frame(bytes: &[u8], deflate: bool) -> Result<Option<(RawFrame<'_>, usize)>, &'static str> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x30 != 0 || (first & 0x40 != 0 && !deflate) {
        return Err("a frame with reserved bits that were not negotiated");
    }
    if second & 0x80 != 0 {
        return Err("a masked frame from the server");
    }
    let (length, head) = match (second & 0x7f, rest) {
        (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10),
        (126 | 127, _) => return Ok(None),
        (short, _) => (u64::from(short), 2),
    };
    if length > PAYLOAD_MAX {
        return Err("a frame of more than 16 MiB");
    }
    let end = head + length as usize;
    let Some(payload) = bytes.get(head..end) else { return Ok(None) };
    Ok(Some((
        RawFrame { is_final: first & 0x80 != 0, is_deflated: first & 0x40 != 0, opcode: first & 0x0f, payload },
        end,
    )))
}

/// Appends a client's frame, masked as the standard requires.
pub fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8], random: &mut impl rand::Rng) {
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask: [u8; 4] = random.random();
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// The content of a close frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloseReason {
    pub code: u16,
    /// The delay before a reconnect.
    pub retry_ms: Option<u64>,
    /// The admission ticket for it.
    pub ticket: Option<Box<str>>,
}

pub fn parse_close(payload: &[u8]) -> CloseReason {
    let [high, low, reason @ ..] = payload else { return CloseReason { code: 1005, retry_ms: None, ticket: None } };
    let reason: Option<serde_json::Value> = serde_json::from_slice(reason).ok();
    CloseReason {
        code: u16::from_be_bytes([*high, *low]),
        retry_ms: reason.as_ref().and_then(|reason| reason["retry_ms"].as_u64()),
        ticket: reason.as_ref().and_then(|reason| Some(reason["ticket"].as_str()?.into())),
    }
}

/// One key for all simulated viewers. It proves that the other side speaks WebSocket, and need not be secret.
#[derive(Debug)]
pub struct ClientHandshake {
    key: String,
    accept: String,
    /// Offers permessage-deflate, as browsers do.
    pub deflate: bool,
}

/// The server's response to a handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpgradeResponse {
    /// The connection is upgraded, and frames begin after this many bytes.
    Upgraded(usize),
    Refused {
        status: u16,
        retry_after_s: Option<u64>,
    },
    /// Not a valid response of HTTP or WebSocket.
    Invalid(&'static str),
}

impl Default for ClientHandshake {
    fn default() -> Self {
        let key = generate_key();
        let accept = derive_accept_key(key.as_bytes());
        Self { key, accept, deflate: false }
    }
}

impl ClientHandshake {
    pub fn request(&self, host: &str, path: &str) -> String {
        let offer =
            if self.deflate { "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" } else { "" };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{offer}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: livesouk.v1\r\nSec-WebSocket-Key: {}\r\n\r\n",
            self.key
        )
    }

    /// `None` while the head of the response is incomplete.
    pub fn parse_response(&self, bytes: &[u8]) -> Option<UpgradeResponse> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return (bytes.len() > HEAD_MAX)
                .then_some(UpgradeResponse::Invalid("the response to the handshake is too long"));
        };
        let Ok(head) = std::str::from_utf8(&bytes[..end]) else {
            return Some(UpgradeResponse::Invalid("the response to the handshake is not text"));
        };
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let header = |name: &str| {
            let mut headers = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
            headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        Some(match status {
            Some(101) if header("sec-websocket-accept") == Some(&self.accept) => UpgradeResponse::Upgraded(end + 4),
            Some(101) => UpgradeResponse::Invalid("the upgrade has a wrong Sec-WebSocket-Accept"),
            Some(status) => UpgradeResponse::Refused {
                status,
                retry_after_s: header("retry-after").and_then(|value| value.parse().ok()),
            },
            None => UpgradeResponse::Invalid("the response to the handshake is not HTTP/1.1"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(length: usize) -> Vec<u8> {
        let mut bytes = match length {
            0..=125 => vec![0x81, length as u8],
            126..=0xffff => vec![0x81, 126, (length >> 8) as u8, length as u8],
            _ => [vec![0x81, 127], (length as u64).to_be_bytes().to_vec()].concat(),
        };
        bytes.extend((0..length).map(|at| at as u8));
        bytes
    }

    #[test]
    fn frame_is_parsed_wherever_the_bytes_are_cut() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let bytes = server_frame(length);
            let cuts: Vec<usize> = if length < 200 { (0..bytes.len()).collect() } else { (0..12).collect() };
            for cut in cuts {
                assert_eq!(parse_frame(&bytes[..cut], false), Ok(None), "{length} cut at {cut}");
            }
            let two = [bytes.clone(), server_frame(3)].concat();
            let (frame, used) = parse_frame(&two, false).unwrap().unwrap();
            assert_eq!((frame.is_final, frame.opcode, frame.payload.len(), used), (true, TEXT, length, bytes.len()));
            assert_eq!(parse_frame(&two[used..], false).unwrap().unwrap().0.payload, [0, 1, 2]);
        }
    }

    #[test]
    fn invalid_server_frames_are_refused() {
        assert!(parse_frame(&[0xc1, 0], false).is_err(), "compressed without an offer");
        assert!(parse_frame(&[0xc1, 0], true).is_ok_and(|frame| frame.is_some_and(|(frame, _)| frame.is_deflated)));
        assert!(parse_frame(&[0xa1, 0], true).is_err(), "another reserved bit");
        assert!(parse_frame(&[0x81, 0x80], false).is_err(), "masked");
        assert!(parse_frame(&[0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0], false).is_err(), "too long");
    }

    #[test]
    fn sent_frames_are_masked_and_complete() {
        for length in [0, 125, 126, 70_000] {
            let payload = vec![7; length];
            let mut out = Vec::new();
            write_frame(&mut out, TEXT, &payload, &mut rand::rng());
            assert_eq!(out[1] & 0x80, 0x80);
            let mask: [u8; 4] = out[out.len() - length - 4..][..4].try_into().unwrap();
            let plain: Vec<u8> =
                out[out.len() - length..].iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
            assert_eq!(plain, payload);
        }
    }

    #[test]
    fn close_frame_has_a_code_and_a_delay() {
        let close =
            |code, retry_ms, ticket: Option<&str>| CloseReason { code, retry_ms, ticket: ticket.map(Into::into) };
        assert_eq!(parse_close(b"\x0f\xa8{\"retry_ms\":800}"), close(4008, Some(800), None));
        assert_eq!(parse_close(b"\x0f\xad{\"retry_ms\":800,\"ticket\":\"ab\"}"), close(4013, Some(800), Some("ab")));
        assert_eq!(parse_close(b"\x11\x95{\"retry_ms\":null}"), close(4501, None, None));
        assert_eq!(parse_close(b""), close(1005, None, None));
    }

    #[test]
    fn upgrade_needs_the_right_accept_header() {
        let handshake = ClientHandshake::default();
        let good = format!("HTTP/1.1 101 x\r\nsec-websocket-ACCEPT: {}\r\n\r\nrest", handshake.accept);
        for cut in 0..good.len() - 4 {
            assert_eq!(handshake.parse_response(&good.as_bytes()[..cut]), None);
        }
        assert_eq!(handshake.parse_response(good.as_bytes()), Some(UpgradeResponse::Upgraded(good.len() - 4)));
        let bad = b"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: x\r\n\r\n";
        assert!(matches!(handshake.parse_response(bad), Some(UpgradeResponse::Invalid(_))));
        let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n\r\n{}";
        assert_eq!(
            handshake.parse_response(busy),
            Some(UpgradeResponse::Refused { status: 503, retry_after_s: Some(3) })
        );
        assert!(matches!(handshake.parse_response(b"SSH-2.0\r\n\r\n"), Some(UpgradeResponse::Invalid(_))));
        assert!(matches!(handshake.parse_response(&[b'x'; 20_000]), Some(UpgradeResponse::Invalid(_))));
    }
}
