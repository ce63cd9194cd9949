//! The admission ticket: what a viewer who was told to come back shows when they return. Whether it is genuine is not known here.

use std::fmt;

use super::Millis;

/// Six bytes of time, four random ones, and a MAC that is cut to half of its length.
const DUE_BYTES: usize = 6;
const BODY_BYTES: usize = DUE_BYTES + 4;
const BYTES: usize = BODY_BYTES + MAC_BYTES;
/// 128 bits cannot be guessed, and the reason of a close frame has only 123 bytes.
pub const MAC_BYTES: usize = 16;

/// A place in the queue of those who want to join: a time, and a signature over it and over whose place it is. As text it has 52
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AdmissionTicket([u8; BYTES]);

impl AdmissionTicket {
    /// `mac` gets what is signed, beside the holder.
    pub fn new(due_at: Millis, nonce: [u8; 4], mac: impl FnOnce(&[u8]) -> [u8; MAC_BYTES]) -> Self {
        let mut bytes = [0; BYTES];
        bytes[..DUE_BYTES].copy_from_slice(&due_at.max(0).to_be_bytes()[2..]);
        bytes[DUE_BYTES..BODY_BYTES].copy_from_slice(&nonce);
        let mac = mac(&bytes[..BODY_BYTES]);
        bytes[BODY_BYTES..].copy_from_slice(&mac);
        Self(bytes)
    }

    /// `None` if the text is no ticket.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// When its holder was told to come, in epoch milliseconds.
    pub fn due_at(&self) -> Millis {
        self.0[..DUE_BYTES].iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte))
    }

    /// What is signed.
    pub fn body(&self) -> &[u8] {
        &self.0[..BODY_BYTES]
    }

    pub fn mac(&self) -> &[u8] {
        &self.0[BODY_BYTES..]
    }
}

impl fmt::Display for AdmissionTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_keeps_its_time_as_text_and_garbage_is_none() {
        let ticket = AdmissionTicket::new(1_760_000_000_123, [1, 2, 3, 4], |body| {
            assert_eq!(body.len(), BODY_BYTES);
            [7; MAC_BYTES]
        });
        let text = ticket.to_string();
        assert_eq!((text.len(), ticket.due_at()), (52, 1_760_000_000_123));
        assert_eq!(AdmissionTicket::parse(&text), Some(ticket));
        for garbage in ["", "x", &text[1..], &text.replace('0', "g"), &format!("{text}00"), "ü".repeat(26).as_str()] {
            assert_eq!(AdmissionTicket::parse(garbage), None, "{garbage}");
        }
    }
}
