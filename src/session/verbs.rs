//! What a client may ask for over its socket. The one place between the connection and the app.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::domain::Refusal;
use crate::protocol::{Frame, server};
use crate::room::{Member, Rooms};

/// What an answer needs to know about the connection.
pub struct Context {
    pub rooms: Arc<Rooms>,
    /// Who asks, and where the answer goes: `member.actor`, `member.stream()`.
    pub member: Arc<Member>,
}

/// As much of a client's frame as it takes to answer "busy".
#[derive(Deserialize)]
pub struct Peek<'a> {
    #[serde(borrow, rename = "ref", default)]
    pub reference: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "do")]
    pub verb: Cow<'a, str>,
}

impl Peek<'_> {
    /// Waits for the database and the payment provider, so it must not hold up what the client says next.
    pub fn is_slow(&self) -> bool {
        matches!(&*self.verb, "buy" | "pay" | "cancel")
    }
}

/// `None`: not a JSON object with a verb.
pub fn peek(text: &str) -> Option<Peek<'_>> {
    serde_json::from_str(text).ok()
}

/// The answer to one frame; `None` for what nobody answers.
pub async fn answer(_context: &Context, text: &str) -> Option<Frame> {
    let ask = peek(text)?;
    let refusal = Refusal::UnknownVerb(ask.verb.chars().take(40).collect());
    Some(server::reply_refused(ask.reference.as_deref(), &refusal))
}
