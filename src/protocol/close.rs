//! Why a connection ends. 4000–4499 say "come back", 4500–4999 say "do not".

use crate::domain::Millis;

/// Those that say "come back" carry after how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Close {
    /// The answer to a client's own goodbye.
    Normal,
    /// This node is going away.
    Moving {
        retry_ms: Millis,
    },
    /// Connections do not live for ever, so that load evens out.
    Ttl {
        retry_ms: Millis,
    },
    /// No answer to our ping.
    PongTimeout {
        retry_ms: Millis,
    },
    /// Could not take what the room says.
    Slow {
        retry_ms: Millis,
    },
    /// This node has no room for one more just now.
    Overload {
        retry_ms: Millis,
    },
    BadFrame,
    Token,
    Banned,
    /// A newer connection of the same session took over.
    Replaced,
}

impl Close {
    pub fn code(self) -> u16 {
        match self {
            Close::Normal => 1000,
            Close::Moving { .. } => 4000,
            Close::Ttl { .. } => 4001,
            Close::PongTimeout { .. } => 4002,
            Close::Slow { .. } => 4008,
            Close::Overload { .. } => 4013,
            Close::BadFrame => 4500,
            Close::Token => 4501,
            Close::Banned => 4502,
            Close::Replaced => 4509,
        }
    }

    /// Every name there may be, for the metrics: `gone` is a client that left without a word.
    pub const NAMES: [&str; 12] = [
        "gone",
        "bye",
        "moving",
        "ttl",
        "pong",
        "slow",
        "overload",
        "bad_frame",
        "token",
        "banned",
        "replaced",
        "other",
    ];

    pub fn name(self) -> &'static str {
        match self {
            Close::Normal => "bye",
            Close::Moving { .. } => "moving",
            Close::Ttl { .. } => "ttl",
            Close::PongTimeout { .. } => "pong",
            Close::Slow { .. } => "slow",
            Close::Overload { .. } => "overload",
            Close::BadFrame => "bad_frame",
            Close::Token => "token",
            Close::Banned => "banned",
            Close::Replaced => "replaced",
        }
    }

    pub fn retry_ms(self) -> Option<Millis> {
        match self {
            Close::Moving { retry_ms }
            | Close::Ttl { retry_ms }
            | Close::PongTimeout { retry_ms }
            | Close::Slow { retry_ms }
            | Close::Overload { retry_ms } => Some(retry_ms),
            Close::Normal | Close::BadFrame | Close::Token | Close::Banned | Close::Replaced => None,
        }
    }

    /// The close frame's text: JSON, always short enough for a control frame.
    pub fn reason(self) -> String {
        match self.retry_ms() {
            Some(retry_ms) => format!(r#"{{"retry_ms":{retry_ms}}}"#),
            None => r#"{"retry_ms":null}"#.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_come_back_exactly_when_it_says_after_how_long() {
        let retry_ms = i64::MAX;
        for (close, code) in [
            (Close::Normal, 1000),
            (Close::Moving { retry_ms }, 4000),
            (Close::Ttl { retry_ms }, 4001),
            (Close::PongTimeout { retry_ms }, 4002),
            (Close::Slow { retry_ms }, 4008),
            (Close::Overload { retry_ms }, 4013),
            (Close::BadFrame, 4500),
            (Close::Token, 4501),
            (Close::Banned, 4502),
            (Close::Replaced, 4509),
        ] {
            assert_eq!(close.code(), code);
            assert_eq!((4000..4500).contains(&code), close.retry_ms().is_some(), "{close:?}");
            assert!(Close::NAMES.contains(&close.name()));
            assert!(close.reason().len() <= 123, "{close:?} fits a control frame");
        }
        assert_eq!(Close::Slow { retry_ms: 800 }.reason(), r#"{"retry_ms":800}"#);
    }
}
