//! The errors of the use cases.

use crate::domain::{ErrorCode, Refusal};
use crate::{broker, store};

/// The only errors that sessions and HTTP handlers see. The cause of a fault stays inside; it is logged once, where it is
/// handled.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Error {
    /// A refusal: an expected answer with a stable code.
    #[error("{0}")]
    Refused(Refusal),
    /// A fault on our side; nothing was done.
    #[error("The service is not available now. Nothing was done.")]
    Unavailable,
    /// The request may have been carried out. A retry with the same key returns the result; a request without a key sets a state, so
    /// it may be repeated too.
    #[error("The outcome is not known. Send the same request again.")]
    OutcomeUnknown,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The row of this error in the table of error codes.
    pub fn error_code(&self) -> &'static ErrorCode {
        match self {
            Error::Refused(refusal) => refusal.error_code(),
            Error::Unavailable => &ErrorCode::UNAVAILABLE,
            Error::OutcomeUnknown => &ErrorCode::OUTCOME_UNKNOWN,
        }
    }

    /// The stable code on which clients act.
    pub fn code(&self) -> &'static str {
        self.error_code().code
    }
}

/// A fault after the store may have carried out the request: a retry finds out.
pub fn as_outcome_unknown(error: Error) -> Error {
    if error == Error::Unavailable { Error::OutcomeUnknown } else { error }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Refused(refusal) => Error::Refused(refusal),
            fault @ store::Error::CommitLost(_) => {
                tracing::error!(error = %fault, "the store failed");
                Error::OutcomeUnknown
            }
            fault => {
                tracing::error!(error = %fault, "the store failed");
                Error::Unavailable
            }
        }
    }
}

impl From<broker::Error> for Error {
    fn from(error: broker::Error) -> Self {
        match error {
            broker::Error::QueueFull => Error::Refused(Refusal::Busy { retry_ms: 1_000 }),
            broker::Error::Unavailable | broker::Error::TooLate => {
                Error::Refused(Refusal::Busy { retry_ms: rand::random_range(1_000..3_000) })
            }
            broker::Error::Stopped => Error::Unavailable,
        }
    }
}
