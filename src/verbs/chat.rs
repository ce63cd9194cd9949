//! Verbs of the chat.

use serde::Deserialize;
use utoipa::ToSchema;

use super::reply::Done;
use super::{InputSource, Method, RestRoute, Verb, VerbContext};
use crate::app::Result;
use crate::domain::reaction::ReactionKind;
use crate::domain::{MessageId, Role};
use crate::protocol::SayReply;

/// Sends a chat message of 1 to 200 characters. It may have to wait in the review queue.
#[derive(Deserialize, ToSchema)]
pub struct Say {
    text: String,
    /// The message it replies to.
    reply_to: Option<MessageId>,
}

impl Verb for Say {
    const NAME: &'static str = "say";
    const LEAST_ROLE: Role = Role::Viewer;
    const IS_SLOW: bool = false;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/streams/{stream}/messages", "chat", InputSource::Body));
    type Reply = SayReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<SayReply> {
        context.app.chat.say(context.actor, context.stream()?, &self.text, self.reply_to).await
    }
}

/// Sends reactions: hearts or one of four emoji. Each counts as a like. A client collects them and sends their number, 1 to 50, from time to time.
#[derive(Deserialize, ToSchema)]
pub struct React {
    kind: ReactionKind,
    count: i64,
}

impl Verb for React {
    const NAME: &'static str = "react";
    const LEAST_ROLE: Role = Role::Viewer;
    const IS_SLOW: bool = false;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/streams/{stream}/reactions", "chat", InputSource::Body));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        context.app.chat.react(context.actor, context.stream()?, self.kind, self.count).await.map(|()| Done)
    }
}
