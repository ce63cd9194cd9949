//! Verbs of moderation. Most take a reason, at most 200 characters: it is kept in the audit log and shown to the affected user.

use serde::Deserialize;
use utoipa::ToSchema;

use super::reply::{BanReply, ChatRulesReply, Done, MuteReply};
use super::{InputSource, Method, RestRoute, Verb, VerbContext};
use crate::app::Result;
use crate::domain::{ChatRulesForm, MessageId, Role, SanctionKind, UserId};

/// Deletes a message.
#[derive(Deserialize, ToSchema)]
pub struct DeleteMessage {
    id: MessageId,
    /// For the audit log and for the affected user: at most 200 characters.
    reason: Option<String>,
}

impl Verb for DeleteMessage {
    const NAME: &'static str = "delete_message";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Delete, "/v1/streams/{stream}/messages/{id}", "chat", InputSource::Query));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        context
            .app
            .moderation
            .delete_message(context.actor, context.stream()?, self.id, self.reason.as_deref())
            .await
            .map(|()| Done)
    }
}

/// Mutes a user for a time and deletes their messages.
#[derive(Deserialize, ToSchema)]
pub struct Mute {
    user: String,
    /// 10 seconds to 7 days.
    seconds: i64,
    /// For the audit log and for the affected user: at most 200 characters.
    reason: Option<String>,
}

impl Verb for Mute {
    const NAME: &'static str = "mute";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Put, "/v1/streams/{stream}/mutes/{user}", "chat", InputSource::Body));
    type Reply = MuteReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<MuteReply> {
        let user = UserId::parse(&self.user)?;
        context
            .app
            .moderation
            .mute(context.actor, context.stream()?, user, self.seconds, self.reason.as_deref())
            .await
            .map(MuteReply)
    }
}

/// Ends a mute.
#[derive(Deserialize, ToSchema)]
pub struct Unmute {
    user: String,
    /// For the audit log and for the affected user: at most 200 characters.
    reason: Option<String>,
}

impl Verb for Unmute {
    const NAME: &'static str = "unmute";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Delete, "/v1/streams/{stream}/mutes/{user}", "chat", InputSource::Query));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        lift_sanction(context, &self.user, SanctionKind::Mute, self.reason.as_deref()).await
    }
}

/// Bans a user from the show until the ban is lifted, closes their connections, and deletes their messages.
#[derive(Deserialize, ToSchema)]
pub struct Ban {
    user: String,
    /// For the audit log and for the affected user: at most 200 characters.
    reason: Option<String>,
}

impl Verb for Ban {
    const NAME: &'static str = "ban";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Put, "/v1/streams/{stream}/bans/{user}", "chat", InputSource::OptionalBody));
    type Reply = BanReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<BanReply> {
        let user = UserId::parse(&self.user)?;
        context.app.moderation.ban(context.actor, context.stream()?, user, self.reason.as_deref()).await.map(BanReply)
    }
}

/// Ends a ban.
#[derive(Deserialize, ToSchema)]
pub struct Unban {
    user: String,
    /// For the audit log and for the affected user: at most 200 characters.
    reason: Option<String>,
}

impl Verb for Unban {
    const NAME: &'static str = "unban";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Delete, "/v1/streams/{stream}/bans/{user}", "chat", InputSource::Query));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        lift_sanction(context, &self.user, SanctionKind::Ban, self.reason.as_deref()).await
    }
}

/// Approves a message of the review queue: it is sent under the name of its author.
#[derive(Deserialize, ToSchema)]
pub struct Approve {
    id: MessageId,
    /// For the audit log and for the affected user: at most 200 characters.
    reason: Option<String>,
}

impl Verb for Approve {
    const NAME: &'static str = "approve";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> = Some(RestRoute::new(
        Method::Post,
        "/v1/streams/{stream}/review-queue/{id}/approve",
        "chat",
        InputSource::Query,
    ));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        context.app.chat.approve(context.actor, context.stream()?, self.id, self.reason.as_deref()).await.map(|()| Done)
    }
}

/// Rejects a message of the review queue: it is never sent.
#[derive(Deserialize, ToSchema)]
pub struct Reject {
    id: MessageId,
    /// For the audit log and for the affected user: at most 200 characters.
    reason: Option<String>,
}

impl Verb for Reject {
    const NAME: &'static str = "reject";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/streams/{stream}/review-queue/{id}/reject", "chat", InputSource::Query));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        context.app.chat.reject(context.actor, context.stream()?, self.id, self.reason.as_deref()).await.map(|()| Done)
    }
}

/// Pins a message above the chat until another one is pinned.
#[derive(Deserialize, ToSchema)]
pub struct PinMessage {
    id: MessageId,
}

impl Verb for PinMessage {
    const NAME: &'static str = "pin_message";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Put, "/v1/streams/{stream}/pinned-message", "chat", InputSource::Body));
    type Reply = ChatRulesReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChatRulesReply> {
        context.app.chat.pin_message(context.actor, context.stream()?, self.id).await.map(ChatRulesReply)
    }
}

/// Unpins the pinned message.
#[derive(Deserialize, ToSchema)]
pub struct UnpinMessage {}

impl Verb for UnpinMessage {
    const NAME: &'static str = "unpin_message";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Delete, "/v1/streams/{stream}/pinned-message", "chat", InputSource::Query));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        context.app.chat.unpin_message(context.actor, context.stream()?).await.map(|()| Done)
    }
}

/// Changes chat rules. Rules that are not given stay as they are.
impl Verb for ChatRulesForm {
    const NAME: &'static str = "chat_rules";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Put, "/v1/streams/{stream}/chat", "chat", InputSource::Body));
    type Reply = ChatRulesReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChatRulesReply> {
        context.app.chat.set_chat_rules(context.actor, context.stream()?, self).await.map(ChatRulesReply)
    }
}

/// Sets slow mode: each viewer may send one message in this number of seconds. 0 turns it off.
#[derive(Deserialize, ToSchema)]
pub struct SlowMode {
    seconds: i64,
}

impl Verb for SlowMode {
    const NAME: &'static str = "slow_mode";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> = None;
    type Reply = ChatRulesReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChatRulesReply> {
        let form = ChatRulesForm { slow_s: Some(self.seconds), ..ChatRulesForm::default() };
        context.app.chat.set_chat_rules(context.actor, context.stream()?, form).await.map(ChatRulesReply)
    }
}

/// Shows a notice to all viewers. An empty text removes it.
#[derive(Deserialize, ToSchema)]
pub struct Announce {
    text: String,
}

impl Verb for Announce {
    const NAME: &'static str = "announce";
    const LEAST_ROLE: Role = Role::Moderator;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/streams/{stream}/announcements", "chat", InputSource::Body));
    type Reply = ChatRulesReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<ChatRulesReply> {
        context.app.chat.set_notice(context.actor, context.stream()?, &self.text).await.map(ChatRulesReply)
    }
}

async fn lift_sanction(
    context: &VerbContext<'_>,
    user: &str,
    kind: SanctionKind,
    reason: Option<&str>,
) -> Result<Done> {
    let user = UserId::parse(user)?;
    context.app.moderation.lift_sanction(context.actor, context.stream()?, user, kind, reason).await.map(|()| Done)
}
