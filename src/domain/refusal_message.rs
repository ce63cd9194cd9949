//! The message of a refusal: the meaning of its code, with the facts that it has.

use super::{Refusal, StripeKeyProblem};

/// The message for a developer or a log, in English. Pages translate the code instead.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::BadRequest(why) => f.write_str(why),
            Refusal::BadField { field, why } => write!(f, "{field} {why}"),
            Refusal::InvalidValue { field, why } => write!(f, "{field} {why}"),
            Refusal::UnknownVerb(verb) => write!(f, "There is no verb `{verb}`."),
            Refusal::BuyerLimit { per_buyer, .. } => write!(f, "One buyer can have at most {per_buyer}."),
            Refusal::PictureKind { found: Some(kind) } => {
                write!(f, "{kind} files are not accepted. Send a JPEG, PNG or WebP picture.")
            }
            Refusal::TooFewLeft { left } => write!(f, "Only {left} left."),
            Refusal::NotEnoughStock { left } => write!(f, "The variant has only {left} in stock."),
            Refusal::MailRefused(why) => f.write_str(why),
            Refusal::StripeKeys(StripeKeyProblem::Rights(right)) => {
                write!(f, "{} It needs: {right}.", self.error_code().meaning)
            }
            Refusal::StripeKeys(StripeKeyProblem::PaymentsOpen(count)) => {
                write!(f, "{} They are {count}.", self.error_code().meaning)
            }
            Refusal::StripeKeys(StripeKeyProblem::Fixed(why)) => f.write_str(why.meaning()),
            Refusal::WrongStatus(why) | Refusal::TokenRefused(why) => f.write_str(why),
            Refusal::PasskeyInvalid(why) => write!(f, "{} {why}", self.error_code().meaning),
            _ => f.write_str(self.error_code().meaning),
        }
    }
}
