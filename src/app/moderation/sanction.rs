//! Moderation: delete a message, mute, ban, and undo these. A muted or banned user's messages are removed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Moderation;
use crate::app::chat::{CHAT_BATCH_WAIT, WRITE_BEHIND_MS};
use crate::app::error::Result;
use crate::domain::{
    Actor, AuditAction, AuditEntry, Event, MessageId, Millis, Permission, Place, Refusal, Sanction, SanctionKind,
    StreamId, UserId, audit,
};
use crate::protocol::SanctionView;
use crate::store;

impl Moderation {
    pub async fn delete_message(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
        reason: Option<&str>,
    ) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        let reason = audit::parse_reason(reason)?;
        self.chat.flush().await;
        let entry =
            AuditEntry { reason, message: Some(id), ..self.audit.audit_entry(actor, stream, AuditAction::Delete) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                // Another node may have broadcast the message and not written it yet: that takes at most a second.
                let give_up = id.created_at().min(this.context.now()) + WRITE_BEHIND_MS;
                let deleted = loop {
                    match this.context.store.delete_message(stream, id, &entry).await {
                        Err(store::Error::Refused(Refusal::NoSuchMessage))
                            if this.publisher.broker.is_shared() && this.context.now() < give_up =>
                        {
                            sleep(CHAT_BATCH_WAIT).await;
                        }
                        result => break result?,
                    }
                };
                if let Some(user) = deleted {
                    this.publisher.publish_committed_event(stream, &Event::Deleted { id }).await;
                    this.chat.notify_team_reviewed(stream, id);
                    this.chat.unpin_deleted_message(stream, Some(id), None).await;
                    this.audit.notify_affected_user(AuditEntry { user: Some(user), ..entry });
                }
                Ok(())
            })
            .await
    }

    pub async fn mute(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        seconds: i64,
        reason: Option<&str>,
    ) -> Result<SanctionView> {
        let until = Some(self.context.now() + Sanction::mute_ms(seconds)?);
        let entry = AuditEntry {
            detail: Some(format!("{seconds} s")),
            ..self.audit.audit_entry(actor, stream, AuditAction::Mute)
        };
        self.sanction(actor, user, until, reason, entry).await
    }

    pub async fn ban(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        reason: Option<&str>,
    ) -> Result<SanctionView> {
        self.sanction(actor, user, None, reason, self.audit.audit_entry(actor, stream, AuditAction::Ban)).await
    }

    /// Mutes until the given time, or bans.
    async fn sanction(
        self: &Arc<Self>,
        actor: &Actor,
        user: UserId,
        until: Option<Millis>,
        reason: Option<&str>,
        entry: AuditEntry,
    ) -> Result<SanctionView> {
        let stream = entry.stream;
        let cached = self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        if user == actor.user {
            return Err(Refusal::bad_request("You cannot do this to yourself.").into());
        }
        let reason = audit::parse_reason(reason)?;
        let (this, by, by_role) = (self.clone(), actor.user.to_string(), actor.role_in(Place::Stream(stream)));
        self.context
            .spawn_write(async move {
                this.chat.flush().await;
                // Where the rank of the user is not known, the sanction binds nobody who ranks too high: it keeps the rank of
                // its author. But it would remove their messages.
                let mut roles = this.context.store.known_roles_of(stream, &user).await?;
                roles.extend(this.publisher.rooms.connected_role(stream, &user));
                for role in roles {
                    Sanction::check_rank(by_role, role)?;
                }
                let name = this.context.store.last_name_of(stream, &user).await?.unwrap_or_else(|| user.to_string());
                let kind = if until.is_some() { SanctionKind::Mute } else { SanctionKind::Ban };
                let sanction = Sanction {
                    user: user.clone(),
                    person: this.context.store.person_of(&user).await?,
                    name: name.clone(),
                    kind,
                    until,
                    by,
                    by_role,
                    reason: reason.clone(),
                };
                let entry = AuditEntry { user: Some(user.clone()), name: Some(name.clone()), reason, ..entry };
                this.context.store.add_sanction(stream, &sanction, &entry).await?;
                cached.add_sanction(sanction.clone());
                if this.publisher.broker.is_shared() {
                    this.delete_late_messages(stream, &sanction);
                }
                this.audit.notify_affected_user(entry);
                this.chat.unpin_deleted_message(stream, None, Some(&user)).await;
                match until {
                    Some(until) => {
                        this.publisher.publish_committed_event(stream, &Event::Muted { user, name, until }).await;
                    }
                    None => {
                        this.publisher.rooms.close_banned(stream, &user, by_role);
                        this.publisher.publish_committed_event(stream, &Event::Banned { user, name }).await;
                    }
                }
                Ok(SanctionView::from(sanction))
            })
            .await
    }

    /// Another node may have been writing a message of this user at the same moment, and neither transaction saw the
    /// other. Delete again after the write-behind delay.
    fn delete_late_messages(self: &Arc<Self>, stream: StreamId, sanction: &Sanction) {
        let (this, user, by, until) = (self.clone(), sanction.user.clone(), sanction.by.clone(), self.context.now());
        self.context.spawn(async move {
            sleep(Duration::from_millis(WRITE_BEHIND_MS.unsigned_abs())).await;
            if let Err(error) = this.context.store.delete_messages_of(stream, &user, until, &by).await {
                tracing::warn!(
                    stream.id = %stream, error = %error, "a message of a muted or banned user may still be listed"
                );
            }
        });
    }

    pub async fn lift_sanction(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        kind: SanctionKind,
        reason: Option<&str>,
    ) -> Result<()> {
        let cached = self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        if user == actor.user {
            return Err(Refusal::bad_request("You cannot do this to yourself.").into());
        }
        let reason = audit::parse_reason(reason)?;
        let done = if kind == SanctionKind::Mute { AuditAction::Unmute } else { AuditAction::Unban };
        let entry = AuditEntry { user: Some(user.clone()), reason, ..self.audit.audit_entry(actor, stream, done) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let lifted = this.context.store.lift_sanction(stream, &user, kind, &entry).await?;
                cached.remove_sanction(&user, kind);
                if lifted {
                    this.publisher.publish_committed_event(stream, &Event::Unmuted { user }).await;
                    this.audit.notify_affected_user(entry);
                }
                Ok(())
            })
            .await
    }

    pub async fn sanctions(&self, actor: &Actor, stream: StreamId) -> Result<Vec<SanctionView>> {
        let cached = self.stream_cache.authorize(actor, Permission::Moderate, stream).await?;
        Ok(cached.sanctions(self.context.now()).into_iter().map(SanctionView::from).collect())
    }
}
