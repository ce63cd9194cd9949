//! The frame reader against the corpus `tests/corpus/websocket/frames.txt`, with the bytes cut in every way that matters.

use testkit::websocket_cases::{Expected, FrameCase, frame_cases};

use super::*;

/// What the reader makes of the bytes, when they arrive in pieces of this size.
fn read_in_pieces(case: &FrameCase, piece: usize) -> Vec<Expected> {
    let mut reader = FrameReader::new(case.deflate);
    let mut seen = Vec::new();
    for mut input in case.bytes.chunks(piece) {
        loop {
            match reader.next(&mut input) {
                Ok(None) => break,
                Ok(Some(IncomingMessage::Text(text))) => seen.push(Expected::Text(text.into_bytes())),
                Ok(Some(IncomingMessage::Ping(payload))) => seen.push(Expected::Ping(payload)),
                Ok(Some(IncomingMessage::Pong)) => {}
                Ok(Some(IncomingMessage::Close(code))) => {
                    seen.push(Expected::Close(code));
                    return seen;
                }
                Ok(Some(IncomingMessage::Binary)) => {
                    seen.push(Expected::Fail(BadFrame::Binary.close_code().0));
                    return seen;
                }
                Err(fault) => {
                    seen.push(Expected::Fail(fault.close_code().0));
                    return seen;
                }
            }
        }
    }
    seen
}

#[test]
fn reader_makes_of_every_case_what_the_corpus_says() {
    let cases = frame_cases();
    assert!(cases.len() >= 190, "only {} cases", cases.len());
    for case in &cases {
        for piece in [1, 2, 3, 7, 1_000, case.bytes.len()] {
            assert_eq!(read_in_pieces(case, piece), case.expected, "{}, in pieces of {piece}", case.name);
        }
    }
}
