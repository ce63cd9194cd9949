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

/// The response to an accepted offer: no context is kept between messages.
pub const EXTENSION_RESPONSE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

thread_local! {
    // A compressor needs about 300 KiB, so there is one per thread, not one per room. It is reset before each use.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(COMPRESSION_LEVEL), false));
    static DECOMPRESSOR: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Can we accept one of the offers in a `Sec-WebSocket-Extensions` header? An offer that requires a smaller server window cannot be
/// accepted, because the shared bytes use the whole window.
pub fn accepts_offer(header: &str) -> bool {
    header.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let is_supported = |part: &str| {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            match (name.trim(), value.map(|value| value.trim().trim_matches('"'))) {
                ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => true,
                ("client_max_window_bits", Some(bits)) => bits.parse().is_ok_and(|bits: u8| (8..=15).contains(&bits)),
                ("server_max_window_bits", Some(bits)) => bits == "15",
                _ => false,
            }
        };
        parts.next() == Some("permessage-deflate") && parts.all(is_supported)
    })
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
pub fn decompress(compressed: &[u8], length_max: usize) -> Result<Vec<u8>, DecompressError> {
    let mut out = Vec::new();
    DECOMPRESSOR.with_borrow_mut(|unpacker| {
        unpacker.reset(false);
        for part in [compressed, &SYNC_FLUSH_TAIL] {
            let start = unpacker.total_in();
            loop {
                let read = (unpacker.total_in() - start) as usize;
                // One byte more than allowed, so that an excess is noticed.
                out.reserve_exact(
                    (part.len() * 4).clamp(64, length_max + 1).min((length_max + 1).saturating_sub(out.len())),
                );
                let before = (unpacker.total_in(), unpacker.total_out());
                let status = unpacker.decompress_vec(&part[read..], &mut out, FlushDecompress::Sync);
                let status = status.map_err(|_| DecompressError::NotDeflate)?;
                if length_max < out.len() {
                    return Err(DecompressError::TooBig);
                }
                if status == Status::StreamEnd {
                    // The client marked the last block as final. That is allowed, and no bytes may follow in this message.
                    let ended = unpacker.total_in() - start == part.len() as u64 || part == SYNC_FLUSH_TAIL;
                    return if ended { Ok(()) } else { Err(DecompressError::NotDeflate) };
                }
                let made_no_progress = before == (unpacker.total_in(), unpacker.total_out());
                if unpacker.total_in() - start == part.len() as u64 && out.len() < out.capacity() {
                    break;
                }
                if made_no_progress && out.len() < out.capacity() {
                    return Err(DecompressError::NotDeflate);
                }
            }
        }
        Ok(())
    })?;
    Ok(out)
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
    fn only_offers_that_we_can_fulfil_are_accepted() {
        for (header, expected) in [
            ("permessage-deflate; client_max_window_bits", true),
            ("permessage-deflate", true),
            ("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits=\"12\"", true),
            ("permessage-deflate; server_max_window_bits=10, permessage-deflate", true),
            ("permessage-deflate; server_max_window_bits=10", false),
            ("permessage-deflate; server_max_window_bits=15; server_no_context_takeover", true),
            ("permessage-deflate; client_max_window_bits=99", false),
            ("permessage-deflate; mystery", false),
            ("permessage-bzip", false),
            ("", false),
        ] {
            assert_eq!(accepts_offer(header), expected, "{header}");
        }
    }
}
