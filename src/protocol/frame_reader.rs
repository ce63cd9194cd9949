//! The reader of WebSocket frames (RFC 6455) that clients send: it parses, checks and defragments them.
//!
//! It is our own, because tungstenite allocates the length that a client only declares, and keeps a read buffer for each idle
//! viewer. Pure: bytes in, messages out; no sockets.

use super::deflate::{self, DecompressError};
use super::frame::{BINARY, CLOSE, CONTINUATION, CONTROL_BYTES_MAX, DEFLATED, FIN, PING, PONG, TEXT};

/// The largest message that a client may send: the sum of all its fragments, 16 KiB.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// A complete message or control frame from a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IncomingMessage {
    Text(String),
    /// No verb uses binary messages, so the bytes are not kept.
    Binary,
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

/// A fault of the client: it violated the WebSocket protocol, or sent what no verb accepts. The connection must be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadFrame {
    #[error("A client frame must be masked.")]
    Unmasked,
    #[error("A reserved bit is set.")]
    ReservedBit,
    #[error("The opcode is unknown.")]
    Opcode,
    #[error("A control frame must have at most 125 bytes and no fragments.")]
    Control,
    #[error("The fragments are out of order.")]
    Fragment,
    #[error("The length must be encoded in the fewest bytes.")]
    Length,
    #[error("A message has at most 16 KiB.")]
    TooBig,
    #[error("A text must be UTF-8.")]
    Utf8,
    #[error("The close code is not valid.")]
    CloseCode,
    #[error("The compressed data is not valid.")]
    NotDeflate,
    #[error("Binary messages are not supported.")]
    Binary,
}

impl BadFrame {
    /// Every violation, for the documents and tests.
    pub const ALL: [Self; 11] = [
        Self::Unmasked,
        Self::ReservedBit,
        Self::Opcode,
        Self::Control,
        Self::Fragment,
        Self::Length,
        Self::CloseCode,
        Self::Binary,
        Self::Utf8,
        Self::NotDeflate,
        Self::TooBig,
    ];

    /// The close code of RFC 6455 (7.4.1) and its name in the metrics.
    pub fn close_code(self) -> (u16, &'static str) {
        match self {
            Self::Unmasked
            | Self::ReservedBit
            | Self::Opcode
            | Self::Control
            | Self::Fragment
            | Self::Length
            | Self::CloseCode => (1002, "protocol_error"),
            Self::Binary => (1003, "unsupported_data"),
            Self::Utf8 | Self::NotDeflate => (1007, "invalid_data"),
            Self::TooBig => (1009, "too_big"),
        }
    }
}

/// Reads client frames from bytes that may be cut anywhere. It keeps bytes only while a message is incomplete.
/// After an error it must not be used again.
#[derive(Default)]
pub struct FrameReader {
    header: [u8; 14],
    header_len: u8,
    frame: Option<PartialFrame>,
    /// The incomplete text or binary message.
    message: Option<PartialMessage>,
    control: Vec<u8>,
    /// Is permessage-deflate negotiated?
    deflate: bool,
}

/// A frame whose header is complete. The numbers are small, because a longer frame is refused when its header is read.
struct PartialFrame {
    is_final: bool,
    deflated: bool,
    opcode: u8,
    mask: [u8; 4],
    length: u32,
    read: u32,
}

/// A message whose fragments are not complete yet.
struct PartialMessage {
    is_text: bool,
    deflated: bool,
    length: u32,
    text: Vec<u8>,
}

impl FrameReader {
    /// `deflate`: the client may compress its messages, each one without the context of the others.
    pub fn new(deflate: bool) -> Self {
        Self { deflate, ..Self::default() }
    }

    /// Consumes `input` up to the end of one message. `None`: the input ended before the message did.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<IncomingMessage>, BadFrame> {
        loop {
            let Some(frame) = self.frame.take() else {
                match self.read_header(input)? {
                    Some(frame) => self.frame = Some(frame),
                    None => return Ok(None),
                }
                continue;
            };
            let frame = self.read_payload(frame, input);
            if frame.read < frame.length {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(incoming) = self.end_frame(&frame)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<PartialFrame>, BadFrame> {
        let mut wanted = self.header_bytes_needed();
        while usize::from(self.header_len) < wanted {
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.header[usize::from(self.header_len)] = *byte;
            self.header_len += 1;
            if self.header_len == 2 {
                self.check_header_start()?;
                wanted = self.header_bytes_needed();
            }
        }
        self.header_len = 0;
        let head = &self.header;
        let length = match head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([head[2], head[3]])),
            127 => u64::from_be_bytes([head[2], head[3], head[4], head[5], head[6], head[7], head[8], head[9]]),
            short => u64::from(short),
        };
        let opcode = head[0] & 0x0f;
        match head[1] & 0x7f {
            126 if length < 126 => return Err(BadFrame::Length),
            127 if length < 65_536 => return Err(BadFrame::Length),
            _ => {}
        }
        let before = self.message.as_ref().map_or(0, |message| message.length as usize);
        if opcode < CLOSE && length > (MESSAGE_BYTES_MAX - before) as u64 {
            return Err(BadFrame::TooBig);
        }
        let mask = [head[wanted - 4], head[wanted - 3], head[wanted - 2], head[wanted - 1]];
        let (last, deflated) = (head[0] & FIN != 0, head[0] & DEFLATED != 0);
        Ok(Some(PartialFrame { is_final: last, deflated, opcode, mask, length: length as u32, read: 0 }))
    }

    fn header_bytes_needed(&self) -> usize {
        match (self.header_len, self.header[1] & 0x7f) {
            (0 | 1, _) => 2,
            (_, 126) => 8,
            (_, 127) => 14,
            _ => 6,
        }
    }

    /// Checks the first two bytes. They show most errors before any byte of the payload is stored.
    fn check_header_start(&mut self) -> Result<(), BadFrame> {
        let (first, second) = (self.header[0], self.header[1]);
        // Only the first frame of a compressed message has the flag.
        let starts_message = matches!(first & 0x0f, TEXT | BINARY);
        if first & 0x30 != 0 || (first & DEFLATED != 0 && !(self.deflate && starts_message)) {
            return Err(BadFrame::ReservedBit);
        }
        match first & 0x0f {
            CLOSE | PING | PONG if first & 0x80 == 0 || second & 0x7f > CONTROL_BYTES_MAX => {
                return Err(BadFrame::Control);
            }
            CLOSE | PING | PONG => {}
            CONTINUATION if self.message.is_none() => return Err(BadFrame::Fragment),
            TEXT | BINARY if self.message.is_some() => return Err(BadFrame::Fragment),
            CONTINUATION | TEXT | BINARY => {}
            _ => return Err(BadFrame::Opcode),
        }
        if second & 0x80 == 0 { Err(BadFrame::Unmasked) } else { Ok(()) }
    }

    /// Unmasks the part of the payload that has arrived. Memory grows with the received bytes, never with the declared length.
    fn read_payload(&mut self, mut frame: PartialFrame, input: &mut &[u8]) -> PartialFrame {
        let (now, rest) = input.split_at(input.len().min((frame.length - frame.read) as usize));
        *input = rest;
        let start = frame.read as usize;
        frame.read += now.len() as u32;
        let unmasked = now.iter().zip(start..).map(|(byte, place)| byte ^ frame.mask[place % 4]);
        if frame.opcode >= CLOSE {
            self.control.extend(unmasked);
            return frame;
        }
        let PartialFrame { opcode, deflated, .. } = frame;
        let message = self.message.get_or_insert_with(|| PartialMessage {
            is_text: opcode == TEXT,
            deflated,
            length: 0,
            text: Vec::new(),
        });
        message.length += now.len() as u32;
        if message.is_text {
            message.text.extend(unmasked);
        }
        frame
    }

    fn end_frame(&mut self, frame: &PartialFrame) -> Result<Option<IncomingMessage>, BadFrame> {
        if frame.opcode >= CLOSE {
            let payload = std::mem::take(&mut self.control);
            return Ok(Some(match frame.opcode {
                PING => IncomingMessage::Ping(payload),
                PONG => IncomingMessage::Pong,
                _ => IncomingMessage::Close(close_code(&payload)?),
            }));
        }
        if !frame.is_final {
            return Ok(None);
        }
        match self.message.take() {
            Some(PartialMessage { is_text: true, text, deflated, .. }) => {
                let text = if deflated { inflate(&text)? } else { text };
                Ok(Some(IncomingMessage::Text(String::from_utf8(text).map_err(|_| BadFrame::Utf8)?)))
            }
            _ => Ok(Some(IncomingMessage::Binary)),
        }
    }

    /// The bytes that are buffered for an incomplete message.
    #[cfg(test)]
    pub fn buffered_bytes(&self) -> usize {
        self.control.capacity() + self.message.as_ref().map_or(0, |message| message.text.capacity())
    }
}

/// A decompressed message has the same size limit as an uncompressed one.
fn inflate(packed: &[u8]) -> Result<Vec<u8>, BadFrame> {
    deflate::decompress(packed, MESSAGE_BYTES_MAX).map_err(|unpacking| match unpacking {
        DecompressError::TooBig => BadFrame::TooBig,
        DecompressError::NotDeflate => BadFrame::NotDeflate,
    })
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, BadFrame> {
    let [high, low, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(None) } else { Err(BadFrame::CloseCode) };
    };
    let code = u16::from_be_bytes([*high, *low]);
    std::str::from_utf8(reason).map_err(|_| BadFrame::Utf8)?;
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(Some(code)),
        _ => Err(BadFrame::CloseCode),
    }
}

#[cfg(test)]
#[path = "frame_reader_test.rs"]
mod tests;

#[cfg(test)]
#[path = "rfc_cases_test.rs"]
mod cases;

#[cfg(test)]
#[path = "corpus_test.rs"]
mod corpus;
