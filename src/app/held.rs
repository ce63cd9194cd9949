//! Messages that wait for the team: put there, said or hidden.

use super::{App, Result};
use crate::domain::{Action, Actor, ChatMessage, Deed, DeedKind, MessageId, Refusal, Role, StreamId, deed};
use crate::protocol::{MessageView, Said};

impl App {
    pub(super) async fn hold(&self, message: ChatMessage) -> Result<Said> {
        let app = self.clone();
        self.write(async move {
            app.store().hold_message(&message).await?;
            let (id, stream) = (message.id, message.stream);
            app.tell_team_held(stream, &MessageView::from(message));
            Ok(Said { id, held: true })
        })
        .await
    }

    /// What waits, oldest first: all of it for those who keep order, their own for everybody else.
    pub async fn held(&self, actor: &Actor, stream: StreamId) -> Result<Vec<MessageView>> {
        if actor.role == Role::Guest {
            return Err(Refusal::SignIn.into());
        }
        self.find_show(stream).await?;
        let of = self.find_show_for(actor, Action::Moderate, stream).await.is_err().then_some(&actor.user);
        Ok(self.store().held(stream, of).await?.into_iter().map(MessageView::from).collect())
    }

    /// Says a message that waits, under its author's name.
    pub async fn approve(&self, actor: &Actor, stream: StreamId, id: MessageId, reason: Option<&str>) -> Result<()> {
        self.decide(actor, stream, id, DeedKind::Approve, reason).await
    }

    /// It is never said. Its author is told.
    pub async fn hide(&self, actor: &Actor, stream: StreamId, id: MessageId, reason: Option<&str>) -> Result<()> {
        self.decide(actor, stream, id, DeedKind::Hide, reason).await
    }

    async fn decide(
        &self,
        actor: &Actor,
        stream: StreamId,
        id: MessageId,
        kind: DeedKind,
        reason: Option<&str>,
    ) -> Result<()> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        let reason = deed::reason(reason)?;
        let deed = Deed { reason, ..self.deed(actor, stream, kind) };
        let app = self.clone();
        self.write(async move {
            let say = kind == DeedKind::Approve;
            let message = app.store().decide_held(stream, id, say, &deed).await?;
            if say && let Err(error) = app.log(stream, &message.event()).await {
                app.store().hold_again(id, deed.id.0).await?;
                return Err(error);
            }
            app.tell_team_settled(stream, id);
            let (user, name) = (Some(message.from.id), Some(message.from.name));
            app.tell_concerned(Deed { user, name, message: Some(id), text: Some(message.text), ..deed });
            Ok(())
        })
        .await
    }
}
