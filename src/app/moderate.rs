//! Keeping talk kind: delete, mute, ban, and taking that back. Who is silenced takes what they said with them.

use std::time::Duration;

use tokio::time::sleep;

use super::chat::{BATCH_WAIT, WRITTEN_BEHIND_MS};
use super::{App, Result};
use crate::domain::{
    Action, Actor, Deed, DeedKind, Event, MessageId, Millis, Refusal, Sanction, SanctionKind, StreamId, UserId, deed,
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
        self.find_show_for(actor, Action::Moderate, stream).await?;
        let reason = deed::reason(reason)?;
        self.flush_chat().await;
        let deed = Deed { reason, message: Some(id), ..self.deed(actor, stream, DeedKind::Delete) };
        let app = self.clone();
        self.write(async move {
            // Another node may have told it and not written it yet: that takes a second at most.
            let give_up = id.made_at().min(app.now()) + WRITTEN_BEHIND_MS;
            let deleted = loop {
                match app.store().delete_message(stream, id, &deed).await {
                    Err(store::Error::Refused(Refusal::NoSuchMessage))
                        if app.0.broker.is_shared() && app.now() < give_up =>
                    {
                        sleep(BATCH_WAIT).await;
                    }
                    settled => break settled?,
                }
            };
            if let Some(user) = deleted {
                app.tell(stream, &Event::Deleted { id }).await;
                app.tell_team_settled(stream, id);
                app.unpin_what_is_gone(stream, Some(id), None).await;
                app.tell_concerned(Deed { user: Some(user), ..deed });
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
        let deed = Deed { detail: Some(format!("{seconds} s")), ..self.deed(actor, stream, DeedKind::Mute) };
        self.sanction(actor, user, until, reason, deed).await
    }

    pub async fn ban(
        &self,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        reason: Option<&str>,
    ) -> Result<SanctionView> {
        self.sanction(actor, user, None, reason, self.deed(actor, stream, DeedKind::Ban)).await
    }

    /// Mutes `until` then, or bans.
    async fn sanction(
        &self,
        actor: &Actor,
        user: UserId,
        until: Option<Millis>,
        reason: Option<&str>,
        deed: Deed,
    ) -> Result<SanctionView> {
        let stream = deed.stream;
        let show = self.find_show_for(actor, Action::Moderate, stream).await?;
        if user == actor.user {
            return Err(Refusal::bad_request("you cannot do this to yourself").into());
        }
        let reason = deed::reason(reason)?;
        let (app, by) = (self.clone(), actor.user.to_string());
        self.write(async move {
            app.flush_chat().await;
            // It would not bind them, and take away what they said all the same.
            if app.store().runs_the_show(stream, &user).await? {
                return Err(Refusal::Forbidden.into());
            }
            let name = app.store().name_of(stream, &user).await?.unwrap_or_else(|| user.to_string());
            let kind = if until.is_some() { SanctionKind::Mute } else { SanctionKind::Ban };
            let sanction = Sanction { user: user.clone(), name: name.clone(), kind, until, by, reason: reason.clone() };
            let deed = Deed { user: Some(user.clone()), name: Some(name.clone()), reason, ..deed };
            app.store().sanction(stream, &sanction, &deed).await?;
            show.add_sanction(sanction.clone());
            if app.0.broker.is_shared() {
                app.sweep_again(stream, &sanction);
            }
            app.tell_concerned(deed);
            app.unpin_what_is_gone(stream, None, Some(&user)).await;
            match until {
                Some(until) => app.tell(stream, &Event::Muted { user, name, until }).await,
                None => {
                    app.rooms().close_user(stream, &user, Close::Banned);
                    app.tell(stream, &Event::Banned { user, name }).await;
                }
            }
            Ok(SanctionView::from(sanction))
        })
        .await
    }

    /// Another node may have been writing a message just then, and neither saw the other.
    fn sweep_again(&self, stream: StreamId, sanction: &Sanction) {
        let (app, user, by, until) = (self.clone(), sanction.user.clone(), sanction.by.clone(), self.now());
        self.0.tasks.spawn(async move {
            sleep(Duration::from_millis(WRITTEN_BEHIND_MS.unsigned_abs())).await;
            if let Err(error) = app.store().sweep(stream, &user, until, &by).await {
                tracing::warn!(stream.id = %stream, error = %error, "a message of one who was silenced may still be listed");
            }
        });
    }

    pub async fn lift(
        &self,
        actor: &Actor,
        stream: StreamId,
        user: UserId,
        kind: SanctionKind,
        reason: Option<&str>,
    ) -> Result<()> {
        let show = self.find_show_for(actor, Action::Moderate, stream).await?;
        if user == actor.user {
            return Err(Refusal::bad_request("you cannot do this to yourself").into());
        }
        let reason = deed::reason(reason)?;
        let done = if kind == SanctionKind::Mute { DeedKind::Unmute } else { DeedKind::Unban };
        let deed = Deed { user: Some(user.clone()), reason, ..self.deed(actor, stream, done) };
        let app = self.clone();
        self.write(async move {
            let lifted = app.store().lift(stream, &user, kind, &deed).await?;
            show.lift(&user, kind);
            if lifted {
                app.tell(stream, &Event::Unmuted { user }).await;
                app.tell_concerned(deed);
            }
            Ok(())
        })
        .await
    }

    pub async fn sanctions(&self, actor: &Actor, stream: StreamId) -> Result<Vec<SanctionView>> {
        let show = self.find_show_for(actor, Action::Moderate, stream).await?;
        Ok(show.sanctions(self.now()).into_iter().map(SanctionView::from).collect())
    }
}
