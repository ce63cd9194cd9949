//! The negotiation of permessage-deflate (RFC 7692, 7.1): reads the offers in `Sec-WebSocket-Extensions` and answers the first one
//! that this server can fulfil. Pure: text in, text out.

/// The header does not follow the grammar of RFC 6455, 9.1. The handshake must fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MalformedExtensions;

/// The answer to an offer: no context is kept between messages.
const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// The same for an offer that limits the server's window. The answer must repeat the limit.
const AGREED_WITH_WINDOW: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15";

/// The value of the `Sec-WebSocket-Extensions` of the answer; `None`: no offer fits, and the connection is not compressed.
///
/// An offer that requires a smaller server window is declined, because the bytes that all viewers share use the whole window.
pub fn negotiate(header: &str) -> Result<Option<&'static str>, MalformedExtensions> {
    let mut rest = header;
    let mut agreed = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(agreed);
        }
        let extension = read_extension(&mut rest)?;
        if !matches!(rest.as_bytes().first(), None | Some(b',')) {
            return Err(MalformedExtensions);
        }
        agreed = agreed.or_else(|| answer(&extension));
    }
}

/// One extension: its name, and its parameters in their order.
struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<String>)>,
}

/// The answer to one offer, or `None` if it is declined.
fn answer(offer: &Extension) -> Option<&'static str> {
    if offer.name != "permessage-deflate" {
        return None;
    }
    let mut has_window = false;
    for (place, (name, value)) in offer.parameters.iter().enumerate() {
        let is_repeated = offer.parameters[..place].iter().any(|(earlier, _)| earlier == name);
        let is_valid = match (*name, value.as_deref()) {
            ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => true,
            ("client_max_window_bits", Some(bits)) => window_bits(bits).is_some(),
            ("server_max_window_bits", Some(bits)) => window_bits(bits) == Some(15),
            _ => false,
        };
        if is_repeated || !is_valid {
            return None;
        }
        has_window |= *name == "server_max_window_bits";
    }
    Some(if has_window { AGREED_WITH_WINDOW } else { AGREED })
}

/// A window size: 8 to 15, without leading zeros.
fn window_bits(text: &str) -> Option<u8> {
    text.parse().ok().filter(|bits: &u8| (8..=15).contains(bits) && text == bits.to_string())
}

/// `extension = token *( ";" parameter )`, with spaces between the parts.
fn read_extension<'a>(rest: &mut &'a str) -> Result<Extension<'a>, MalformedExtensions> {
    let name = read_token(rest)?;
    let mut parameters = Vec::new();
    while skip(rest, ';') {
        let name = read_token(rest)?;
        let value = if skip(rest, '=') { Some(read_value(rest)?) } else { None };
        parameters.push((name, value));
    }
    Ok(Extension { name, parameters })
}

/// A token, or a quoted string whose content is a token.
fn read_value(rest: &mut &str) -> Result<String, MalformedExtensions> {
    let Some(quoted) = rest.strip_prefix('"') else { return Ok(read_token(rest)?.to_owned()) };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' if !value.is_empty() => {
                *rest = quoted[at + 1..].trim_start_matches([' ', '\t']);
                return Ok(value);
            }
            '\\' => match characters.next() {
                Some((_, escaped)) if is_token_character(escaped) => value.push(escaped),
                _ => return Err(MalformedExtensions),
            },
            character if is_token_character(character) => value.push(character),
            _ => return Err(MalformedExtensions),
        }
    }
    Err(MalformedExtensions)
}

/// The token at the start of `rest`, and the spaces behind it.
fn read_token<'a>(rest: &mut &'a str) -> Result<&'a str, MalformedExtensions> {
    let end = rest.find(|character| !is_token_character(character)).unwrap_or(rest.len());
    let (token, after) = rest.split_at(end);
    *rest = after.trim_start_matches([' ', '\t']);
    if token.is_empty() { Err(MalformedExtensions) } else { Ok(token) }
}

/// Consumes a separator and the spaces behind it, if it is next.
fn skip(rest: &mut &str, separator: char) -> bool {
    let Some(after) = rest.strip_prefix(separator) else { return false };
    *rest = after.trim_start_matches([' ', '\t']);
    true
}

/// `tchar` of RFC 9110.
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of `tests/corpus/websocket/deflate_offers.txt`: the offers and the expected answer.
    #[test]
    fn offers_get_the_answer_of_the_corpus() {
        let rows = include_str!("../../tests/corpus/websocket/deflate_offers.txt");
        let mut count = 0;
        for row in rows.lines().filter(|row| !row.starts_with('#') && !row.is_empty()) {
            let (offers, expected) = row.split_once("->").expect("offers -> answer");
            let expected = match expected.trim() {
                "agreed" => Ok(Some(AGREED)),
                "agreed with server_max_window_bits=15" => Ok(Some(AGREED_WITH_WINDOW)),
                "declined" => Ok(None),
                "refused" => Err(MalformedExtensions),
                other => panic!("an unknown answer in the corpus: {other}"),
            };
            assert_eq!(negotiate(offers.trim_end()), expected, "{row}");
            count += 1;
        }
        assert!(count >= 40, "only {count} rows");
    }

    #[test]
    fn an_escaped_character_must_be_part_of_a_token() {
        assert_eq!(negotiate(r#"permessage-deflate; client_max_window_bits="1\0""#), Ok(Some(AGREED)));
        assert_eq!(negotiate(r#"permessage-deflate; client_max_window_bits="1\"0""#), Err(MalformedExtensions));
    }
}
