//! Compression: permessage-deflate (RFC 7692) without context takeover in both directions. Each message is compressed
//! independently, so a broadcast is compressed once and shared, and a viewer costs no memory. Pure: bytes in, bytes out.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Shorter payloads are sent uncompressed, because compression would save nothing.
const COMPRESS_MIN_BYTES: usize = 512;
/// The fastest level: a tick must be sent immediately, and higher levels save little.
const COMPRESSION_LEVEL: u32 = 1;
/// The bytes at the end of every compressed message. They are not sent (RFC 7692, 7.2.1).
const SYNC_FLUSH_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A payload of one final empty block: the decompressor accepts it only between two blocks.
const END_OF_STREAM: [u8; 2] = [0x03, 0x00];
/// The largest number of blocks in a message that are marked as final and are not the last. Each of them restarts the decompressor.
const FINAL_BLOCKS_MAX: usize = 16;

thread_local! {
    // A compressor needs about 300 KiB, so there is one per thread, not one per room. It is reset before each use.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(COMPRESSION_LEVEL), false));
    static DECOMPRESSOR: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Compresses a payload. `None`: it is short, or would not shrink by a seventh.
pub fn compress(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() < COMPRESS_MIN_BYTES {
        return None;
    }
    // A result that does not fit into this length does not save enough.
    let length_max = payload.len() - payload.len() / 7;
    let mut out = Vec::with_capacity(length_max);
    COMPRESSOR.with_borrow_mut(|packer| {
        packer.reset();
        let status = packer.compress_vec(payload, &mut out, FlushCompress::Sync);
        let done = status.is_ok() && packer.total_in() == payload.len() as u64 && out.len() < length_max;
        (done && out.ends_with(&SYNC_FLUSH_TAIL)).then(|| out.truncate(out.len() - SYNC_FLUSH_TAIL.len()))
    })?;
    out.shrink_to_fit();
    Some(out)
}

/// Appends a payload as stored (uncompressed) deflate blocks. Compressed data can follow them in the same message.
pub fn write_stored_blocks(payload: &[u8], out: &mut Vec<u8>) {
    for block in payload.chunks(usize::from(u16::MAX)) {
        let length = block.len() as u16;
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
}

/// Why a message could not be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecompressError {
    /// The message would be larger than allowed. The rest was not decompressed.
    TooBig,
    NotDeflate,
}

/// Decompresses a message to at most `length_max` bytes. The limit is needed because a few bytes can expand to millions.
///
/// A block may be marked as final, and more blocks may follow it (RFC 7692, 7.2.3.4): they start without its context.
pub fn decompress(compressed: &[u8], length_max: usize) -> Result<Vec<u8>, DecompressError> {
    let mut out = Vec::new();
    if compressed.is_empty() {
        return Ok(out);
    }
    DECOMPRESSOR.with_borrow_mut(|unpacker| {
        let mut rest = compressed;
        for _ in 0..=FINAL_BLOCKS_MAX {
            unpacker.reset(false);
            match feed(unpacker, rest, &mut out, length_max)? {
                None => return finish(unpacker, &mut out, length_max),
                Some([]) => return Ok(()),
                Some(after) => rest = after,
            }
        }
        Err(DecompressError::NotDeflate)
    })?;
    Ok(out)
}

/// Ends the last block by the bytes that are never sent, and checks that it is complete.
fn finish(unpacker: &mut Decompress, out: &mut Vec<u8>, length_max: usize) -> Result<(), DecompressError> {
    let ended = match feed(unpacker, &SYNC_FLUSH_TAIL, out, length_max)? {
        None => feed(unpacker, &END_OF_STREAM, out, length_max)?,
        ended => ended,
    };
    if ended == Some(&[]) { Ok(()) } else { Err(DecompressError::NotDeflate) }
}

/// Decompresses `input` to its end (`None`), or to the end of a block that is marked as final: then it returns the rest.
fn feed<'a>(
    unpacker: &mut Decompress,
    mut input: &'a [u8],
    out: &mut Vec<u8>,
    length_max: usize,
) -> Result<Option<&'a [u8]>, DecompressError> {
    loop {
        // One byte more than allowed, so that an excess is noticed.
        let wanted = (input.len() * 4).clamp(64, length_max + 1);
        out.reserve_exact(wanted.min((length_max + 1).saturating_sub(out.len())));
        let before = (unpacker.total_in(), unpacker.total_out());
        let status = unpacker.decompress_vec(input, out, FlushDecompress::Sync);
        let status = status.map_err(|_| DecompressError::NotDeflate)?;
        input = &input[(unpacker.total_in() - before.0) as usize..];
        if length_max < out.len() {
            return Err(DecompressError::TooBig);
        }
        if status == Status::StreamEnd {
            return Ok(Some(input));
        }
        let has_space = out.len() < out.capacity();
        if input.is_empty() && has_space {
            return Ok(None);
        }
        let made_no_progress = before == (unpacker.total_in(), unpacker.total_out());
        if made_no_progress && has_space {
            return Err(DecompressError::NotDeflate);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn compressed_payload_is_decompressed_to_the_same_bytes() {
        for length in [512, 513, 4_000, 16_384] {
            let mut text: String = (0..2_000).map(|i| format!("{{\"seq\":{i}}},")).collect();
            text.truncate(length);
            let compressed = compress(text.as_bytes()).expect("compression saves enough");
            assert!(compressed.len() < length / 2, "{length} to {}", compressed.len());
            assert_eq!(decompress(&compressed, 16_384).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn short_or_random_payload_is_not_compressed() {
        assert_eq!(compress(&[b'x'; 511]), None);
        let mut noise = vec![0; 4_000];
        SmallRng::seed_from_u64(1).fill_bytes(&mut noise);
        assert_eq!(compress(&noise), None);
    }

    #[test]
    fn compressed_data_can_follow_stored_blocks() {
        let tail = "state".repeat(200);
        let mut message = Vec::new();
        write_stored_blocks(b"{head}", &mut message);
        message.extend(compress(tail.as_bytes()).unwrap());
        assert_eq!(decompress(&message, 4_000).unwrap(), format!("{{head}}{tail}").as_bytes());
    }

    #[test]
    fn decompression_bomb_is_stopped_at_the_limit() {
        let bomb = compress(&vec![b' '; 10_000_000]).unwrap();
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert_eq!(decompress(&bomb, 16_384), Err(DecompressError::TooBig));
        assert_eq!(decompress(&compress(&[b' '; 16_385]).unwrap(), 16_384), Err(DecompressError::TooBig));
        assert_eq!(decompress(&compress(&[b' '; 16_384]).unwrap(), 16_384).map(|out| out.len()), Ok(16_384));
    }

    #[test]
    fn invalid_compressed_data_is_refused() {
        for bad in [&b"\xff\xff\xff"[..], b"\x07", b"\x00\x05\x00\x00\x00hello"] {
            assert_eq!(decompress(bad, 16_384), Err(DecompressError::NotDeflate), "{bad:?}");
        }
        assert_eq!(decompress(b"", 16_384), Ok(vec![]), "an empty message");
    }

    #[test]
    fn message_that_ends_inside_a_block_is_refused() {
        let whole = compress("a sentence that repeats itself. ".repeat(40).as_bytes()).unwrap();
        for cut in 1..whole.len() - 1 {
            assert_eq!(decompress(&whole[..cut], 16_384), Err(DecompressError::NotDeflate), "cut at {cut}");
        }
    }

    #[test]
    fn number_of_final_blocks_is_limited() {
        // Each is a final empty block; a stored block ends the message.
        let blocks = |count: usize| [END_OF_STREAM.repeat(count), vec![0]].concat();
        assert_eq!(decompress(&blocks(FINAL_BLOCKS_MAX), 16_384), Ok(vec![]));
        assert_eq!(decompress(&blocks(FINAL_BLOCKS_MAX + 1), 16_384), Err(DecompressError::NotDeflate));
    }
}
