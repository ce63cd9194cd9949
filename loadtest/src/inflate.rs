//! Compressed messages. A frame that a whole room receives is inflated once; after that its bytes identify it.

use std::collections::VecDeque;
use std::rc::Rc;

use flate2::{Decompress, FlushDecompress};

/// The server broadcasts only a few frames at a time, from viewer to viewer.
const CACHED_MAX: usize = 16;
/// No valid message is nearly this long.
const PAYLOAD_MAX: usize = 16 * 1024 * 1024;
/// Ends every compressed message, and is left out on the wire.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

#[derive(Default)]
pub struct InflateCache(VecDeque<(Vec<u8>, Rc<[u8]>)>);

impl InflateCache {
    pub fn inflate(&mut self, packed: &[u8]) -> Result<Rc<[u8]>, &'static str> {
        if let Some((_, payload)) = self.0.iter().find(|(known, _)| known == packed) {
            return Ok(payload.clone());
        }
        let payload: Rc<[u8]> = inflate_message(packed)?.into();
        self.0.truncate(CACHED_MAX - 1);
        self.0.push_front((packed.to_vec(), payload.clone()));
        Ok(payload)
    }
}

fn inflate_message(packed: &[u8]) -> Result<Vec<u8>, &'static str> {
    const NOT_DEFLATE: &str = "a message that cannot be inflated";
    let (whole, mut inflater) = ([packed, &TAIL].concat(), Decompress::new(false));
    let mut payload = Vec::with_capacity(packed.len() * 8);
    loop {
        let read = inflater.total_in() as usize;
        let before = (read, payload.len());
        inflater.decompress_vec(&whole[read..], &mut payload, FlushDecompress::Sync).map_err(|_| NOT_DEFLATE)?;
        if PAYLOAD_MAX < payload.len() {
            return Err("a message of more than 16 MiB after inflating");
        }
        let all_read = inflater.total_in() as usize == whole.len();
        if all_read && payload.len() < payload.capacity() {
            return Ok(payload);
        }
        if payload.len() == payload.capacity() {
            payload.reserve(payload.len().max(1_024));
        } else if before == (inflater.total_in() as usize, payload.len()) {
            return Err(NOT_DEFLATE);
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    fn packed(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 1_024);
        Compress::new(Compression::fast(), false).compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - TAIL.len());
        out
    }

    #[test]
    fn compressed_messages_are_inflated_and_garbage_is_refused() {
        let mut unpacked = InflateCache::default();
        for length in [0, 1, 1_000, 300_000] {
            let payload: Vec<u8> = (0..length).map(|n| b"abcde"[n % 5]).collect();
            let packed = packed(&payload);
            assert_eq!(*unpacked.inflate(&packed).unwrap(), payload, "{length}");
            assert_eq!(*unpacked.inflate(&packed).unwrap(), payload, "{length} again");
        }
        assert!(unpacked.inflate(&[0xff; 40]).is_err());
    }

    #[test]
    fn cache_is_bounded() {
        let mut unpacked = InflateCache::default();
        for number in 0..100_u32 {
            unpacked.inflate(&packed(&number.to_be_bytes())).unwrap();
        }
        assert_eq!(unpacked.0.len(), CACHED_MAX);
    }
}
