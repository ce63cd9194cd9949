//! WebSocket frames (RFC 6455) that the server sends. They are not masked, so a frame is encoded once and its bytes are shared by
//! all viewers.

use bytes::Bytes;

use super::{Close, deflate};
use crate::domain::AdmissionTicket;

/// The longest payload of a control frame. A control frame is never fragmented.
pub const CONTROL_BYTES_MAX: u8 = 125;

/// Flag in the first byte: this is the last frame of its message.
pub const FIN: u8 = 0x80;
/// Flag in the first byte (RSV1): the payload of the message is compressed.
pub const DEFLATED: u8 = 0x40;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// An encoded server frame: bytes that can be written to any socket. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame(Bytes);

impl Frame {
    pub fn text(text: &str) -> Self {
        Self::build(|out| out.extend_from_slice(text.as_bytes()))
    }

    /// A text frame whose payload is appended by `write`. The payload is written once; the header is put in front of it without a
    /// copy.
    pub fn build(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::with_first_byte(FIN | TEXT, write)
    }

    /// The same with a payload that is already compressed, for viewers who negotiated compression.
    pub fn build_deflated(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::with_first_byte(FIN | DEFLATED | TEXT, write)
    }

    fn with_first_byte(first: u8, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        const HEADER_LEN_MAX: usize = 10;
        let mut out = Vec::with_capacity(512);
        out.resize(HEADER_LEN_MAX, 0);
        write(&mut out);
        let length = out.len() - HEADER_LEN_MAX;
        let start = match length {
            0..126 => {
                out[9] = length as u8;
                8
            }
            126..65_536 => {
                out[7] = 126;
                out[8..10].copy_from_slice(&(length as u16).to_be_bytes());
                6
            }
            _ => {
                out[1] = 127;
                out[2..10].copy_from_slice(&(length as u64).to_be_bytes());
                0
            }
        };
        out[start] = first;
        Self(Bytes::from(out).slice(start..))
    }

    /// A frame from the bytes of [`Frame::into_bytes`], of this node or another.
    pub fn from_encoded(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub fn ping(payload: &[u8]) -> Self {
        Self::control(PING, payload)
    }

    pub fn pong(payload: &[u8]) -> Self {
        Self::control(PONG, payload)
    }

    pub fn close(close: Close) -> Self {
        Self::close_with_ticket(close, None)
    }

    /// See [`Close::reason_with`].
    pub fn close_with_ticket(close: Close, ticket: Option<AdmissionTicket>) -> Self {
        let mut payload = close.code().to_be_bytes().to_vec();
        payload.extend_from_slice(close.reason_with(ticket).as_bytes());
        Self::control(CLOSE, &payload)
    }

    /// The compressed form of this frame. `None`: compression would not save enough. No context is kept between frames, so the
    /// compressed bytes can be shared by all viewers too.
    pub fn deflated(&self) -> Option<Self> {
        let payload = &self.0[header_len(&self.0)..];
        let packed = deflate::compress(payload)?;
        Some(Self::build_deflated(|out| out.extend_from_slice(&packed)))
    }

    fn control(opcode: u8, payload: &[u8]) -> Self {
        let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX as usize)];
        let mut out = Vec::with_capacity(2 + payload.len());
        out.extend_from_slice(&[FIN | opcode, payload.len() as u8]);
        out.extend_from_slice(payload);
        Self(out.into())
    }

    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The length in bytes, including the header.
    #[expect(clippy::len_without_is_empty, reason = "a frame has a header, so it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The length of the header of a server frame.
fn header_len(frame: &[u8]) -> usize {
    match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_encoded_in_the_fewest_bytes() {
        for (length, head) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 255, 255]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::text(&"x".repeat(length));
            assert_eq!(frame.bytes()[..head.len()], head, "{length}");
            assert_eq!(frame.len(), head.len() + length);
        }
        assert_eq!(&Frame::close(Close::Slow { retry_ms: 800 }).bytes()[..], b"\x88\x12\x0f\xa8{\"retry_ms\":800}");
        assert_eq!(&Frame::pong(b"a").bytes()[..], b"\x8a\x01a");
    }
}
