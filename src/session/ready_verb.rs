//! Runs the verbs of a connection, and turns their results into reply frames.

use crate::app::{App, Error};
use crate::domain::Refusal;
use crate::protocol::{Close, Frame, VerbCall, server};
use crate::room::Member;
use crate::verbs::{self, ParsedVerb, VerbContext, VerbEntry};

/// A verb of a frame, ready to run.
pub struct ReadyVerb {
    entry: &'static VerbEntry,
    verb: Box<dyn ParsedVerb>,
}

impl ReadyVerb {
    /// Fails with `unknown_verb`, or with `bad_request` if the input is invalid.
    pub fn parse(call: VerbCall) -> Result<Self, Refusal> {
        let entry = verbs::find(&call.name)?;
        Ok(Self { entry, verb: entry.parse(call.input)? })
    }

    /// It waits for the database or the payment provider, so it must not delay the verbs that follow.
    pub fn is_slow(&self) -> bool {
        self.entry.is_slow
    }

    /// Runs the verb. `None`: the client gets no reply.
    pub async fn run(self, app: &App, member: &Member, reference: Option<&str>) -> Option<Frame> {
        let context = VerbContext { app, actor: &member.actor, stream: Some(member.stream()), member: Some(member) };
        if self.entry.has_reply && app.streams.close_reason(member) == Some(Close::Token) {
            // The connection is being closed because its token is revoked.
            return Some(server::reply_refused(reference, &Refusal::TokenInvalid));
        }
        match self.verb.run_on_socket(&context).await {
            Ok(reply) => reply.map(|value| server::reply(reference, &value)),
            Err(error) => Some(reply_error(reference, &error)),
        }
    }
}

fn reply_error(reference: Option<&str>, error: &Error) -> Frame {
    match error {
        Error::Refused(refusal) => server::reply_refused(reference, refusal),
        Error::Unavailable | Error::OutcomeUnknown => {
            server::reply_error(reference, error.code(), &error.to_string(), Some(1_000))
        }
    }
}

/// A connection that runs too many slow verbs gets `busy` for the next one.
pub fn too_many_slow_verbs() -> Refusal {
    Refusal::Busy { retry_ms: 500 }
}
