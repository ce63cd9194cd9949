//! The encoding of a file: guessed while it arrives, and then decoded part by part.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// So many bytes show whether every second one is zero.
const BEGINNING_BYTES: usize = 1_024;

/// Guesses the encoding of a file from all of its bytes, without keeping them.
pub struct EncodingGuess {
    detector: EncodingDetector,
    beginning: Vec<u8>,
}

impl Default for EncodingGuess {
    fn default() -> Self {
        Self { detector: EncodingDetector::new(Iso2022JpDetection::Deny), beginning: Vec::new() }
    }
}

impl EncodingGuess {
    /// Looks at the next part of the file.
    pub fn feed(&mut self, part: &[u8]) {
        let missing = BEGINNING_BYTES.saturating_sub(self.beginning.len());
        self.beginning.extend_from_slice(&part[..missing.min(part.len())]);
        self.detector.feed(part, false);
    }

    /// The name of the encoding, after the whole file.
    pub fn finish(mut self) -> &'static str {
        self.detector.feed(&[], true);
        let guessed = match Encoding::for_bom(&self.beginning) {
            Some((encoding, _)) => encoding,
            None => {
                utf_16_without_mark(&self.beginning).unwrap_or_else(|| self.detector.guess(None, Utf8Detection::Allow))
            }
        };
        guessed.name()
    }
}

/// Text in Latin letters has a zero in every second byte.
fn utf_16_without_mark(beginning: &[u8]) -> Option<&'static Encoding> {
    let zeros = |first: usize| beginning.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), beginning.len() / 2);
    match half >= 4 {
        true if odd * 10 >= half * 6 && even == 0 => Some(UTF_16LE),
        true if even * 10 >= half * 6 && odd == 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// The encoding with this name, as browsers call it; a wrong name is `None`.
pub fn known_encoding(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label(name.as_bytes())
}

/// Decodes a file part by part. What cannot be read becomes U+FFFD, which is reported with its row.
pub struct TextDecoder {
    decoder: Decoder,
}

impl TextDecoder {
    pub fn new(encoding: &str) -> Self {
        let encoding = known_encoding(encoding).unwrap_or(UTF_8);
        Self { decoder: encoding.new_decoder_with_bom_removal() }
    }

    /// Appends the text of a part.
    pub fn decode(&mut self, part: &[u8], is_last: bool, text: &mut String) {
        let mut rest = part;
        loop {
            text.reserve(self.decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len() * 3).max(16));
            let (result, read, _) = self.decoder.decode_to_string(rest, text, is_last);
            rest = &rest[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARABIC: &str =
        "handle,title,price\n1,مصباح مكتب أحمر من النحاس,150.00\n2,إناء فخار لحفظ الماء البارد,75.50\n";
    const FRENCH: &str = "handle,title,price\n1,Théière à fleurs naïve,15.00\n2,Crème brûlée où déjà,7.50\n";

    fn guess(bytes: &[u8], part: usize) -> &'static str {
        let mut guess = EncodingGuess::default();
        bytes.chunks(part).for_each(|part| guess.feed(part));
        guess.finish()
    }

    fn decode(bytes: &[u8], encoding: &str, part: usize) -> String {
        let (mut decoder, mut text) = (TextDecoder::new(encoding), String::new());
        bytes.chunks(part).for_each(|part| decoder.decode(part, false, &mut text));
        decoder.decode(&[], true, &mut text);
        text
    }

    #[test]
    fn encoding_is_guessed_and_decoded_in_parts_of_any_size() {
        let utf_16 = |text: &str, little: bool, mark: bool| {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect::<Vec<u8>>()
        };
        let in_encoding = |text: &str, name: &str| known_encoding(name).unwrap().encode(text).0.into_owned();
        for (bytes, expected, text) in [
            (ARABIC.as_bytes().to_vec(), "UTF-8", ARABIC),
            ([b"\xef\xbb\xbf", ARABIC.as_bytes()].concat(), "UTF-8", ARABIC),
            (utf_16(ARABIC, true, true), "UTF-16LE", ARABIC),
            (utf_16(ARABIC, false, true), "UTF-16BE", ARABIC),
            (utf_16(FRENCH, true, false), "UTF-16LE", FRENCH),
            (in_encoding(ARABIC, "windows-1256"), "windows-1256", ARABIC),
            (in_encoding(FRENCH, "windows-1252"), "windows-1252", FRENCH),
        ] {
            for part in [1, 7, 4_096] {
                assert_eq!(guess(&bytes, part), expected);
                assert_eq!(decode(&bytes, expected, part), text, "{expected} in parts of {part}");
            }
        }
        assert!(decode(b"a\xff", "UTF-8", 1).contains('\u{fffd}'));
    }
}
