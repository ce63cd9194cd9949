//! Tests of the frame reader against the requirements of the WebSocket standard (RFC 6455, RFC 7692): fragmented text, control
//! frames between fragments, reserved bits and opcodes, lengths, masks, close codes, compression.

use super::tests::{client, read, read_all, text};
use super::*;
use crate::protocol::frame::{DEFLATED, FIN};

const RSV: [u8; 3] = [0x40, 0x20, 0x10];

fn with_deflate(bytes: &[u8]) -> Result<Vec<IncomingMessage>, BadFrame> {
    read(&mut FrameReader::new(true), bytes)
}

#[test]
fn text_can_be_fragmented_at_every_byte_with_control_frames_between() {
    let content = "κόσμε سوق 😀 \u{0} \u{10ffff}";
    for cut in 0..=content.len() {
        let (first, second) = content.as_bytes().split_at(cut);
        let plain = [client(0x01, first), client(0x80, second)].concat();
        assert_eq!(read_all(&plain), Ok(vec![text(content)]), "cut at {cut}");
        let between = [client(0x01, first), client(0x89, b"?"), client(0x8a, b""), client(0x80, second)].concat();
        let expected = vec![IncomingMessage::Ping(b"?".to_vec()), IncomingMessage::Pong, text(content)];
        assert_eq!(read_all(&between), Ok(expected), "cut at {cut}");
    }
    let single: Vec<u8> =
        content.bytes().enumerate().flat_map(|(at, byte)| client(u8::from(at == 0), &[byte])).collect();
    assert_eq!(read_all(&[single, client(0x80, b"")].concat()), Ok(vec![text(content)]), "a frame for every byte");
    let close = [client(0x01, b"a"), client(0x88, b"\x03\xe8")].concat();
    assert_eq!(read_all(&close), Ok(vec![IncomingMessage::Close(Some(1000))]), "close in the middle of a message");
}

#[test]
fn invalid_utf8_is_found_at_every_cut() {
    for bad in [
        &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"[..], // half a surrogate pair
        b"\xce\xba\xf4\x90\x80\x80",                                            // above the last code point
        b"\xc0\xaf",                                                            // overlong encoding
        b"\xe0\x80\xaf",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\x80",
        b"ab\xe2\x82",
    ] {
        for cut in 0..=bad.len() {
            let (first, second) = bad.split_at(cut);
            let pieces = [client(0x01, first), client(0x89, b""), client(0x80, second)].concat();
            assert_eq!(read_all(&pieces), Err(BadFrame::Utf8), "{bad:x?} cut at {cut}");
        }
        let compressed = [client(FIN | DEFLATED | TEXT, &stored(bad))].concat();
        assert_eq!(with_deflate(&compressed), Err(BadFrame::Utf8), "{bad:x?} deflated");
    }
}

#[test]
fn reserved_bits_are_refused_on_every_opcode() {
    for bit in RSV {
        for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
            assert_eq!(read_all(&client(FIN | bit | opcode, b"")), Err(BadFrame::ReservedBit), "{bit:x} {opcode}");
        }
        let continued = [client(0x01, b"a"), client(FIN | bit, b"b")].concat();
        assert_eq!(read_all(&continued), Err(BadFrame::ReservedBit));
        assert_eq!(
            with_deflate(&continued),
            Err(BadFrame::ReservedBit),
            "only the first frame of a message may have the flag"
        );
        for opcode in [CLOSE, PING, PONG] {
            let control = client(FIN | bit | opcode, b"");
            assert_eq!(with_deflate(&control), Err(BadFrame::ReservedBit), "control frames are never compressed");
        }
        if bit != DEFLATED {
            assert_eq!(with_deflate(&client(FIN | bit | TEXT, b"")), Err(BadFrame::ReservedBit));
            assert_eq!(with_deflate(&client(FIN | DEFLATED | bit | TEXT, b"")), Err(BadFrame::ReservedBit));
        }
    }
}

#[test]
fn reserved_opcodes_are_refused_between_and_within_messages() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for last in [0, FIN] {
            assert_eq!(read_all(&client(last | opcode, b"x")), Err(BadFrame::Opcode), "{opcode}");
            let within = [client(0x01, b"a"), client(last | opcode, b"")].concat();
            assert_eq!(read_all(&within), Err(BadFrame::Opcode), "{opcode} within a message");
        }
    }
}

#[test]
fn fragments_are_in_order_and_control_frames_are_not_fragmented() {
    for (name, bytes, expected) in [
        ("continuation first", client(0x00, b"a"), BadFrame::Fragment),
        ("continuation after the end", [client(0x81, b"a"), client(0x80, b"b")].concat(), BadFrame::Fragment),
        ("two starts", [client(0x01, b"a"), client(0x01, b"b")].concat(), BadFrame::Fragment),
        ("binary in text", [client(0x01, b"a"), client(0x82, b"b")].concat(), BadFrame::Fragment),
        ("ping in two", client(0x09, b""), BadFrame::Control),
        ("close in two", client(0x08, b""), BadFrame::Control),
        ("pong of 126", client(0x8a, &[b'x'; 126]), BadFrame::Control),
        ("close of 126", client(0x88, &[b'x'; 126]), BadFrame::Control),
    ] {
        assert_eq!(read_all(&bytes), Err(expected), "{name}");
    }
    let empty = [client(0x01, b""), client(0x00, b""), client(0x00, b""), client(0x80, b"")].concat();
    assert_eq!(read_all(&empty), Ok(vec![text("")]), "a message of empty fragments");
}

#[test]
fn only_valid_close_codes_are_accepted() {
    for code in 0..=u16::MAX {
        let bytes = client(0x88, &code.to_be_bytes());
        let good = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let expected = if good { Ok(vec![IncomingMessage::Close(Some(code))]) } else { Err(BadFrame::CloseCode) };
        assert_eq!(read_all(&bytes), expected, "{code}");
    }
    let longest = [&b"\x03\xe8"[..], &[b'r'; 123]].concat();
    assert_eq!(read_all(&client(0x88, &longest)), Ok(vec![IncomingMessage::Close(Some(1000))]));
    for cut in 1..4 {
        let reason = [&b"\x03\xe8"[..], &"😀".as_bytes()[..cut]].concat();
        assert_eq!(read_all(&client(0x88, &reason)), Err(BadFrame::Utf8), "{cut} bytes of a character");
    }
}

#[test]
fn every_mask_is_applied_and_unmasked_frames_are_refused() {
    for mask in [[0, 0, 0, 0], [255; 4], [1, 2, 3, 4]] {
        let mut bytes = vec![0x81, 0x80 | 5];
        bytes.extend_from_slice(&mask);
        bytes.extend(b"hello".iter().zip(0..).map(|(byte, at)| byte ^ mask[at % 4]));
        assert_eq!(read_all(&bytes), Ok(vec![text("hello")]));
    }
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        assert_eq!(read_all(&[first, 0]), Err(BadFrame::Unmasked), "{first:x}");
    }
}

#[test]
fn messages_up_to_the_limit_are_read_in_any_number_of_pieces() {
    for length in [0, 1, 125, 126, 127, 128, 4_096, MESSAGE_BYTES_MAX] {
        let content = "z".repeat(length);
        for piece in [1_usize.max(length / 40), 997, length.max(1)] {
            let mut bytes: Vec<u8> = Vec::new();
            for (at, part) in content.as_bytes().chunks(piece).enumerate() {
                bytes.extend(client(u8::from(at == 0), part));
            }
            bytes.extend(client(if length == 0 { 0x81 } else { 0x80 }, b""));
            assert_eq!(read_all(&bytes), Ok(vec![text(&content)]), "{length} in pieces of {piece}");
            if length == MESSAGE_BYTES_MAX {
                bytes.truncate(bytes.len() - 6);
                bytes.extend(client(0x80, b"1"));
                assert_eq!(read_all(&bytes), Err(BadFrame::TooBig), "one more in pieces of {piece}");
            }
        }
    }
}

/// The bytes as a stored (uncompressed) deflate block.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    deflate::write_stored_blocks(bytes, &mut out);
    out.push(0);
    out
}

#[test]
fn compressed_messages_are_read_only_when_negotiated() {
    let content = r#"{"do":"say","text":"سلام"}"#.repeat(40);
    let compressed = deflate::compress(content.as_bytes()).unwrap();
    let whole = client(FIN | DEFLATED | TEXT, &compressed);
    assert_eq!(read_all(&whole), Err(BadFrame::ReservedBit), "not negotiated");
    assert_eq!(with_deflate(&whole), Ok(vec![text(&content)]));
    assert_eq!(
        with_deflate(&client(0x81, content.as_bytes())),
        Ok(vec![text(&content)]),
        "a message may also be uncompressed"
    );
    assert_eq!(
        with_deflate(&[whole.clone(), whole].concat()),
        Ok(vec![text(&content); 2]),
        "each message is independent"
    );
    for cut in 0..=compressed.len() {
        let (first, second) = compressed.split_at(cut);
        let pieces = [client(DEFLATED | TEXT, first), client(0x89, b"?"), client(FIN, second)].concat();
        let expected = vec![IncomingMessage::Ping(b"?".to_vec()), text(&content)];
        assert_eq!(with_deflate(&pieces), Ok(expected), "cut at {cut}");
    }
}

#[test]
fn invalid_or_too_large_compressed_message_ends_the_connection() {
    let message = |payload: &[u8]| with_deflate(&client(FIN | DEFLATED | TEXT, payload));
    for (length, good) in [(MESSAGE_BYTES_MAX, true), (MESSAGE_BYTES_MAX + 1, false), (5_000_000, false)] {
        let outcome = message(&deflate::compress(&vec![b' '; length]).unwrap()[..]);
        if good {
            assert_eq!(outcome, Ok(vec![text(&" ".repeat(length))]));
        } else {
            assert_eq!(outcome, Err(BadFrame::TooBig), "{length}");
        }
    }
    assert_eq!(message(b"\xff\xff\xff"), Err(BadFrame::NotDeflate));
    assert_eq!(message(b"\x01\x01\x00\xfe\xffx"), Ok(vec![text("x")]), "a block that is marked as final");
    assert_eq!(message(b"\x01\x01\x00\xfe\xffxmore"), Err(BadFrame::NotDeflate), "bytes after the final block");
}
