//! Error codes: the stable words on which clients act. Those of refusals are in `refusal_table.rs`; those of faults are here.

use super::Refusal;

/// One row of the table of error codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode {
    /// The stable code on which clients act; the same over REST and on the socket.
    pub code: &'static str,
    /// The HTTP status over REST.
    pub status: u16,
    /// The meaning, as a whole sentence. It is also the message, unless the refusal has facts to add.
    pub meaning: &'static str,
    /// The key of the text that our pages show, in each of their languages.
    pub text_key: &'static str,
}

/// Codes of faults and of the HTTP layer, which are errors but not refusals.
impl ErrorCode {
    pub const UNAVAILABLE: Self = Self::fault(
        "unavailable",
        503,
        "The server cannot answer now. Nothing was done. Try again.",
        "error.unavailable",
    );
    pub const OUTCOME_UNKNOWN: Self = Self::fault(
        "outcome_unknown",
        503,
        "The server does not know whether it was done. Send the same request again, with the same idempotency key if it has one.",
        "error.outcome_unknown",
    );
    pub const TIMEOUT: Self = Self::fault("timeout", 408, "The request did not arrive in time.", "error.timeout");
    pub const ORIGIN_NOT_ALLOWED: Self = Self::fault(
        "origin_not_allowed",
        403,
        "This website may not call the server. See --allow-origin.",
        "error.origin_not_allowed",
    );
    pub const HOST_NOT_ALLOWED: Self = Self::fault(
        "host_not_allowed",
        403,
        "This demo does not answer to this host name. See --host.",
        "error.host_not_allowed",
    );
    pub const NOT_FOUND: Self =
        Self::fault("not_found", 404, "This path does not exist. See /docs.", "error.not_found");
    pub const METHOD_NOT_ALLOWED: Self = Self::fault(
        "method_not_allowed",
        405,
        "This path does not accept this method. See /docs.",
        "error.method_not_allowed",
    );
    pub const INTERNAL: Self =
        Self::fault("internal", 500, "An internal error occurred. It is in the server's log.", "error.internal");

    pub const FAULTS: [Self; 8] = [
        Self::UNAVAILABLE,
        Self::OUTCOME_UNKNOWN,
        Self::TIMEOUT,
        Self::ORIGIN_NOT_ALLOWED,
        Self::HOST_NOT_ALLOWED,
        Self::NOT_FOUND,
        Self::METHOD_NOT_ALLOWED,
        Self::INTERNAL,
    ];

    const fn fault(code: &'static str, status: u16, meaning: &'static str, text_key: &'static str) -> Self {
        Self { code, status, meaning, text_key }
    }

    /// Every code that a client can receive: the refusals first, then the faults.
    pub fn all() -> impl Iterator<Item = &'static ErrorCode> {
        Refusal::TABLE.iter().chain(&Self::FAULTS)
    }
}

/// Makes the table, and the row of each refusal, from one list of rows. A refusal without a row does not compile.
macro_rules! error_codes {
    ($($refusal:pat => $code:literal, $status:literal, $meaning:literal, $text_key:expr;)*) => {
        impl Refusal {
            /// Every code of a refusal, once.
            pub const TABLE: &[ErrorCode] = &[$(
                ErrorCode { code: $code, status: $status, meaning: $meaning, text_key: $text_key },
            )*];

            /// The row of this refusal.
            pub fn error_code(&self) -> &'static ErrorCode {
                match self {
                    $($refusal => &ErrorCode { code: $code, status: $status, meaning: $meaning, text_key: $text_key },)*
                }
            }
        }
    };
}

pub(super) use error_codes;
