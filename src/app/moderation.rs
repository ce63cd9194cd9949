//! Keeping talk kind: delete, mute, ban, and taking that back. Who is silenced takes what they said with them.

use std::time::Duration;

use tokio::time::sleep;

use super::chat::{CHAT_BATCH_WAIT, WRITE_BEHIND_MS};
use super::{App, Result};
use crate::domain::{
    Actor, AuditAction, AuditEntry, Event, MessageId, Millis, Permission, Refusal, Sanction, SanctionKind, StreamId,
    UserId, audit,
};
use crate::protocol::{Close, SanctionView};
use crate::store;

impl App {
    pub async fn delete_message(
        &self,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
        reason: Option<&str>,
    ) -> Result<()> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        let reason = audit::parse_reason(reason)?;
        self.flush_chat().await;
        let deed = AuditEntry { reason, message: Some(id), ..self.audit_entry(actor, stream, AuditAction::Delete) };
        let app = self.clone();
        self.spawn_write(async move {
            // Another node may have told it and not written it yet: that takes a second at most.
            let give_up = id.created_at().min(app.now()) + WRITE_BEHIND_MS;
            let deleted = loop {
                match app.store().delete_message(stream, id, &deed).await {
                    Err(store::Error::Refused(Refusal::NoSuchMessage))
                        if app.0.broker.is_shared() && app.now() < give_up =>
                    {
                        sleep(CHAT_BATCH_WAIT).await;
                    }
                    settled => break settled?,
                }
            };
            if let Some(user) = deleted {
                app.publish_committed_event(stream, &Event::Deleted { id }).await;
                app.notify_team_reviewed(stream, id);
                app.unpin_deleted_message(stream, Some(id), None).await;
                app.notify_affected_user(AuditEntry { user: Some(user), ..deed });
            }
            Ok(())
        })
        .await
    }

    pub async fn mute(
        &self,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        seconds: i64,
        reason: Option<&str>,
    ) -> Result<SanctionView> {
        let until = Some(self.now() + Sanction::mute_ms(seconds)?);
        let deed =
            AuditEntry { detail: Some(format!("{seconds} s")), ..self.audit_entry(actor, stream, AuditAction::Mute) };
        self.sanction(actor, user, until, reason, deed).await
    }

    pub async fn ban(
        &self,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        reason: Option<&str>,
    ) -> Result<SanctionView> {
        self.sanction(actor, user, None, reason, self.audit_entry(actor, stream, AuditAction::Ban)).await
    }

    /// Mutes `until` then, or bans.
    async fn sanction(
        &self,
        actor: &Actor,
        user: UserId,
        until: Option<Millis>,
        reason: Option<&str>,
        deed: AuditEntry,
    ) -> Result<SanctionView> {
        let stream = deed.stream;
        let show = self.authorize(actor, Permission::Moderate, stream).await?;
        if user == actor.user {
            return Err(Refusal::bad_request("you cannot do this to yourself").into());
        }
        let reason = audit::parse_reason(reason)?;
        let (app, by) = (self.clone(), actor.user.to_string());
        self.spawn_write(async move {
            app.flush_chat().await;
            // It would not bind them, and take away what they said all the same.
            if app.store().last_spoke_as_host(stream, &user).await? {
                return Err(Refusal::Forbidden.into());
            }
            let name = app.store().last_name_of(stream, &user).await?.unwrap_or_else(|| user.to_string());
            let kind = if until.is_some() { SanctionKind::Mute } else { SanctionKind::Ban };
            let sanction = Sanction { user: user.clone(), name: name.clone(), kind, until, by, reason: reason.clone() };
            let deed = AuditEntry { user: Some(user.clone()), name: Some(name.clone()), reason, ..deed };
            app.store().add_sanction(stream, &sanction, &deed).await?;
            show.add_sanction(sanction.clone());
            if app.0.broker.is_shared() {
                app.delete_late_messages(stream, &sanction);
            }
            app.notify_affected_user(deed);
            app.unpin_deleted_message(stream, None, Some(&user)).await;
            match until {
                Some(until) => app.publish_committed_event(stream, &Event::Muted { user, name, until }).await,
                None => {
                    app.rooms().close_user(stream, &user, Close::Banned);
                    app.publish_committed_event(stream, &Event::Banned { user, name }).await;
                }
            }
            Ok(SanctionView::from(sanction))
        })
        .await
    }

    /// Another node may have been writing a message just then, and neither saw the other.
    fn delete_late_messages(&self, stream: StreamId, sanction: &Sanction) {
        let (app, user, by, until) = (self.clone(), sanction.user.clone(), sanction.by.clone(), self.now());
        self.0.tasks.spawn(async move {
            sleep(Duration::from_millis(WRITE_BEHIND_MS.unsigned_abs())).await;
            if let Err(error) = app.store().delete_messages_of(stream, &user, until, &by).await {
                tracing::warn!(stream.id = %stream, error = %error, "a message of one who was silenced may still be listed");
            }
        });
    }

    pub async fn lift_sanction(
        &self,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        kind: SanctionKind,
        reason: Option<&str>,
    ) -> Result<()> {
        let show = self.authorize(actor, Permission::Moderate, stream).await?;
        if user == actor.user {
            return Err(Refusal::bad_request("you cannot do this to yourself").into());
        }
        let reason = audit::parse_reason(reason)?;
        let done = if kind == SanctionKind::Mute { AuditAction::Unmute } else { AuditAction::Unban };
        let deed = AuditEntry { user: Some(user.clone()), reason, ..self.audit_entry(actor, stream, done) };
        let app = self.clone();
        self.spawn_write(async move {
            let lifted = app.store().lift_sanction(stream, &user, kind, &deed).await?;
            show.remove_sanction(&user, kind);
            if lifted {
                app.publish_committed_event(stream, &Event::Unmuted { user }).await;
                app.notify_affected_user(deed);
            }
            Ok(())
        })
        .await
    }

    pub async fn sanctions(&self, actor: &Actor, stream: StreamId) -> Result<Vec<SanctionView>> {
        let show = self.authorize(actor, Permission::Moderate, stream).await?;
        Ok(show.sanctions(self.now()).into_iter().map(SanctionView::from).collect())
    }
}
