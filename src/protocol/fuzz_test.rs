//! Fuzz tests: seeded mutations of client input. The corpus is in `tests/corpus`. A failure prints its seed;
//! `LIVESOUK_FUZZ_SEED` repeats that seed, and `LIVESOUK_FUZZ_ROUNDS` sets the number of rounds.

use std::path::Path;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::frame_reader::MESSAGE_BYTES_MAX;
use super::{ClientFrame, FrameReader, IncomingMessage, deflate};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `check` on mutations of the corpus. A panic is reported with its seed and the bytes that caused it.
fn fuzz(name: &str, rounds: u64, check: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let seeds = corpus(name);
    assert!(seeds.len() > 5, "the corpus {name} has too few files");
    let first = env_number("LIVESOUK_FUZZ_SEED").unwrap_or(1);
    let last = if env_number("LIVESOUK_FUZZ_SEED").is_some() {
        first
    } else {
        env_number("LIVESOUK_FUZZ_ROUNDS").unwrap_or(rounds)
    };
    for seed in first..=last {
        let mut random = SmallRng::seed_from_u64(seed);
        let bytes = mutate(&mut random, &seeds);
        if let Err(panic) = std::panic::catch_unwind(|| check(&bytes)) {
            eprintln!("{name}, LIVESOUK_FUZZ_SEED={seed}: {bytes:x?}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn mutate(random: &mut SmallRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let pick = |random: &mut SmallRng| seeds[random.random_range(0..seeds.len())].clone();
    let mut bytes = pick(random);
    for _ in 0..random.random_range(0..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 if at < bytes.len() => bytes[at] = random.random(),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            4 => {
                let other = pick(random);
                bytes.splice(at..at, other);
            }
            5 if at < bytes.len() => {
                let end = random.random_range(at..bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + 8).min(bytes.len());
                let piece = bytes[at..end].repeat(random.random_range(0..40));
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn reader_never_panics_and_never_buffers_more_than_its_limit() {
    fuzz("frames", 5_000, |bytes| {
        for deflate in [false, true] {
            let whole = read(deflate, bytes, bytes.len().max(1));
            assert_eq!(whole, read(deflate, bytes, 3), "the result depends on where the bytes are cut");
        }
    });
}

/// Reads bytes in pieces. Returns the messages, and whether an error ended the reading.
fn read(deflate: bool, bytes: &[u8], piece: usize) -> (Vec<IncomingMessage>, bool) {
    let mut reader = FrameReader::new(deflate);
    let mut all = Vec::new();
    for mut input in bytes.chunks(piece) {
        loop {
            match reader.next(&mut input) {
                Ok(None) => break,
                Ok(Some(incoming)) => {
                    if let IncomingMessage::Text(text) = &incoming {
                        assert!(text.len() <= MESSAGE_BYTES_MAX);
                    }
                    all.push(incoming);
                }
                Err(_) => return (all, true),
            }
        }
        assert!(reader.buffered_bytes() <= 2 * MESSAGE_BYTES_MAX + 256, "{}", reader.buffered_bytes());
    }
    (all, false)
}

#[test]
fn decompression_never_panics_and_never_exceeds_its_limit() {
    fuzz("frames", 5_000, |bytes| {
        if let Ok(out) = deflate::decompress(bytes.get(6..).unwrap_or_default(), 16_384) {
            assert!(out.len() <= 16_384);
        }
        if let Some(compressed) = deflate::compress(&bytes.repeat(20)) {
            assert_eq!(deflate::decompress(&compressed, 1 << 24), Ok(bytes.repeat(20)));
        }
    });
}

#[test]
fn client_text_never_panics_and_every_refusal_has_a_code() {
    fuzz("verbs", 5_000, |bytes| {
        let frame = ClientFrame::parse(&String::from_utf8_lossy(bytes));
        if let Err(refusal) = frame.verb {
            assert!(["bad_request", "unknown_verb"].contains(&refusal.code()), "{refusal:?}");
            assert!(refusal.to_string().len() < 2_000);
        }
        assert!(frame.reference.is_none_or(|reference| reference.len() <= 64));
    });
}
