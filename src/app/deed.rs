//! What the team did: written down, told to the one concerned, read by the team.

use bytes::Bytes;

use super::{App, Result};
use crate::domain::{
    Action, ActionId, Actor, Deed, DeedKind, MessageId, OfferId, Refusal, Role, Speaker, StreamId, UserId,
};
use crate::protocol::{DeedView, Frame, MessageView, server};

/// In front of a frame that goes to a show's team and not to one person. No frame begins with it.
const TO_TEAM: u8 = b'T';

/// The show and the frame, if this is not for a person: the show's id stands where the person's would.
pub(super) fn for_team(user: &UserId, body: &Bytes) -> Option<(StreamId, Frame)> {
    let stream = (body.first() == Some(&TO_TEAM)).then(|| user.as_str().parse().ok())??;
    Some((stream, Frame::from_encoded(body.slice(1..))))
}

impl App {
    pub(super) fn deed(&self, actor: &Actor, stream: StreamId, kind: DeedKind) -> Deed {
        Deed::new(stream, Speaker::from(actor), kind, self.now())
    }

    /// Writes down what was done already to an offer or order. Behind the answer: selling does not wait for it.
    pub(super) fn note(&self, deed: Deed) {
        let app = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = app.store().keep_deed(&deed).await {
                tracing::error!(error = %error, kind = deed.kind.name(), by = %deed.by.id, "an action is not in the log");
            }
        });
    }

    pub(super) fn note_sale(
        &self,
        actor: &Actor,
        (stream, offer): (StreamId, OfferId),
        kind: DeedKind,
        detail: Option<String>,
    ) {
        self.note(Deed { subject: Some(offer.to_string()), detail, ..self.deed(actor, stream, kind) });
    }

    /// Tells a person what was done to them and why, wherever they are connected.
    pub(super) fn tell_concerned(&self, deed: Deed) {
        let Some(user) = deed.user.clone().filter(|_| deed.kind.concerns()) else { return };
        let here = self.rooms().has_person(&user);
        let frame: Bytes = server::action(&DeedView::to_them(deed)).into_bytes();
        if let Err(error) = self.0.broker.person(user, frame, here) {
            tracing::warn!(error = %error, "somebody was not told what was done to them");
        }
    }

    pub(super) fn tell_team_held(&self, stream: StreamId, message: &MessageView) {
        self.tell_team(stream, server::held(message));
    }

    pub(super) fn tell_team_settled(&self, stream: StreamId, id: MessageId) {
        self.tell_team(stream, server::settled(id));
    }

    /// To everybody who keeps order in a show, on every node. One that is lost is found in the list.
    fn tell_team(&self, stream: StreamId, frame: Frame) {
        let frame: Bytes = frame.into_bytes();
        let body = [&[TO_TEAM][..], &frame].concat();
        let Ok(address) = UserId::parse(&stream.to_string()) else { return };
        if let Err(error) = self.0.broker.person(address, body.into(), self.rooms().has_team(stream)) {
            tracing::warn!(stream.id = %stream, error = %error, "the team was not told of a message that waits");
        }
    }

    /// A page of the log of a show, newest first: for those who keep order.
    pub async fn deeds(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Option<ActionId>,
        limit: i64,
    ) -> Result<Vec<DeedView>> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        Ok(self.store().deeds(stream, None, after, limit).await?.into_iter().map(DeedView::of).collect())
    }

    /// What was done to the one who asks, newest first; the banned may ask too.
    pub async fn my_deeds(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Option<ActionId>,
        limit: i64,
    ) -> Result<Vec<DeedView>> {
        if actor.role == Role::Guest {
            return Err(Refusal::SignIn.into());
        }
        self.find_show(stream).await?;
        let deeds = self.store().deeds(stream, Some(&actor.user), after, limit).await?;
        Ok(deeds.into_iter().map(DeedView::to_them).collect())
    }
}
