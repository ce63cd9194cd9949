//! Close codes: why a connection ends. 4000–4499 mean "reconnect"; 1000, 1002, 1003, 1007, 1009 and 4500–4999 mean "do not
//! reconnect".

use super::BadFrame;
use crate::domain::{AdmissionTicket, Millis};

/// The reason why the server closes a connection. A reason that means "reconnect" has the delay before the reconnect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Close {
    /// The client closed the connection; this is the reply.
    Normal,
    /// This node is shutting down.
    Moving { retry_ms: Millis },
    /// The connection has reached its maximum lifetime. Reconnects spread the load over the nodes.
    Ttl { retry_ms: Millis },
    /// The client did not answer a ping in time.
    PongTimeout { retry_ms: Millis },
    /// The client was too slow: backpressure had reached its last step.
    Slow { retry_ms: Millis },
    /// This node cannot accept more connections now.
    Overload { retry_ms: Millis },
    /// The client's own fault: it sent bytes that are not valid WebSocket frames, a binary message, or too long a message.
    BadFrame(BadFrame),
    /// The token is invalid or has expired.
    Token,
    /// The user is banned from the show.
    Banned,
    /// A newer connection with the same session id replaced this one.
    Replaced,
}

impl Close {
    /// The code in the close frame.
    pub fn code(self) -> u16 {
        match self {
            Close::Normal => 1000,
            Close::Moving { .. } => 4000,
            Close::Ttl { .. } => 4001,
            Close::PongTimeout { .. } => 4002,
            Close::Slow { .. } => 4008,
            Close::Overload { .. } => 4013,
            Close::BadFrame(fault) => fault.close_code().0,
            Close::Token => 4501,
            Close::Banned => 4502,
            Close::Replaced => 4509,
        }
    }

    /// Every value of the label `reason` in the metrics. `gone`: the client vanished without a close frame.
    pub const NAMES: [&str; 15] = [
        "gone",
        "normal",
        "moving",
        "ttl",
        "pong",
        "slow",
        "overload",
        "protocol_error",
        "unsupported_data",
        "invalid_data",
        "too_big",
        "token",
        "banned",
        "replaced",
        "other",
    ];

    pub fn name(self) -> &'static str {
        match self {
            Close::Normal => "normal",
            Close::Moving { .. } => "moving",
            Close::Ttl { .. } => "ttl",
            Close::PongTimeout { .. } => "pong",
            Close::Slow { .. } => "slow",
            Close::Overload { .. } => "overload",
            Close::BadFrame(fault) => fault.close_code().1,
            Close::Token => "token",
            Close::Banned => "banned",
            Close::Replaced => "replaced",
        }
    }

    /// The delay before the client should reconnect. `None`: it should not reconnect.
    pub fn retry_ms(self) -> Option<Millis> {
        match self {
            Close::Moving { retry_ms }
            | Close::Ttl { retry_ms }
            | Close::PongTimeout { retry_ms }
            | Close::Slow { retry_ms }
            | Close::Overload { retry_ms } => Some(retry_ms),
            Close::Normal | Close::BadFrame(_) | Close::Token | Close::Banned | Close::Replaced => None,
        }
    }

    /// The text in the close frame: JSON, always short enough for a control frame. A fault of the client has a `message`.
    pub fn reason(self) -> String {
        self.reason_with(None)
    }

    /// The same with the admission ticket of a client for which a place is kept: it comes back with the ticket. The ticket is not a
    /// part of [`Close`], because each open connection has some of these.
    pub fn reason_with(self, ticket: Option<AdmissionTicket>) -> String {
        match (self, self.retry_ms()) {
            // The messages have no characters that JSON escapes.
            (Close::BadFrame(fault), _) => format!(r#"{{"retry_ms":null,"message":"{fault}"}}"#),
            (_, Some(retry_ms)) => match ticket {
                Some(ticket) => format!(r#"{{"retry_ms":{retry_ms},"ticket":"{ticket}"}}"#),
                None => format!(r#"{{"retry_ms":{retry_ms}}}"#),
            },
            (_, None) => r#"{"retry_ms":null}"#.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_means_reconnect_exactly_when_it_has_a_delay() {
        let retry_ms = i64::MAX;
        let ticket = AdmissionTicket::new(retry_ms, [255; 4], |_| [255; 16]);
        for (close, code) in [
            (Close::Normal, 1000),
            (Close::Moving { retry_ms }, 4000),
            (Close::Ttl { retry_ms }, 4001),
            (Close::PongTimeout { retry_ms }, 4002),
            (Close::Slow { retry_ms }, 4008),
            (Close::Overload { retry_ms }, 4013),
            (Close::Token, 4501),
            (Close::Banned, 4502),
            (Close::Replaced, 4509),
        ] {
            assert_eq!(close.code(), code);
            assert_eq!((4000..4500).contains(&code), close.retry_ms().is_some(), "{close:?}");
            assert!(Close::NAMES.contains(&close.name()));
            assert!(close.reason_with(Some(ticket)).len() <= 123, "{close:?} fits a control frame");
        }
        let reason: serde_json::Value =
            serde_json::from_str(&Close::Overload { retry_ms: 800 }.reason_with(Some(ticket))).unwrap();
        assert_eq!(reason, serde_json::json!({"retry_ms": 800, "ticket": ticket.to_string()}));
        assert_eq!(Close::Slow { retry_ms: 800 }.reason(), r#"{"retry_ms":800}"#);
    }

    #[test]
    fn fault_of_the_client_has_a_code_of_the_standard_and_says_what_is_wrong() {
        for fault in BadFrame::ALL {
            let close = Close::BadFrame(fault);
            assert!([1002, 1003, 1007, 1009].contains(&close.code()) && close.retry_ms().is_none(), "{fault:?}");
            assert!(Close::NAMES.contains(&close.name()));
            assert!(close.reason().len() <= 123, "{fault:?} fits a control frame");
            let reason: serde_json::Value = serde_json::from_str(&close.reason()).unwrap();
            assert_eq!(reason, serde_json::json!({"retry_ms": null, "message": fault.to_string()}));
        }
    }
}
