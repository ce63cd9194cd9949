//! What the team did: written down, told to the one concerned, read by the team.

use bytes::Bytes;

use super::{App, Result};
use crate::domain::{
    Actor, AuditAction, AuditEntry, AuditEntryId, Author, MessageId, OfferId, Permission, Refusal, Role, StreamId,
    UserId,
};
use crate::protocol::{AuditEntryView, Frame, MessageView, server};

/// In front of a frame that goes to a show's team and not to one person. No frame begins with it.
const TEAM_FRAME_PREFIX: u8 = b'T';

/// The show and the frame, if this is not for a person: the show's id stands where the person's would.
pub(super) fn parse_team_frame(user: &UserId, body: &Bytes) -> Option<(StreamId, Frame)> {
    let stream = (body.first() == Some(&TEAM_FRAME_PREFIX)).then(|| user.as_str().parse().ok())??;
    Some((stream, Frame::from_encoded(body.slice(1..))))
}

impl App {
    pub(super) fn audit_entry(&self, actor: &Actor, stream: StreamId, kind: AuditAction) -> AuditEntry {
        AuditEntry::new(stream, Author::from(actor), kind, self.now())
    }

    /// Writes down what was done already to an offer or order. Behind the answer: selling does not wait for it.
    pub(super) fn record_audit_entry(&self, deed: AuditEntry) {
        let app = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = app.store().insert_audit_entry(&deed).await {
                tracing::error!(error = %error, kind = deed.kind.name(), by = %deed.by.id, "an action is not in the log");
            }
        });
    }

    pub(super) fn record_offer_action(
        &self,
        actor: &Actor,
        (stream, offer): (StreamId, OfferId),
        kind: AuditAction,
        detail: Option<String>,
    ) {
        self.record_audit_entry(AuditEntry {
            subject: Some(offer.to_string()),
            detail,
            ..self.audit_entry(actor, stream, kind)
        });
    }

    /// Tells a person what was done to them and why, wherever they are connected.
    pub(super) fn notify_affected_user(&self, deed: AuditEntry) {
        let Some(user) = deed.user.clone().filter(|_| deed.kind.affects_user()) else { return };
        let here = self.rooms().is_user_connected(&user);
        let frame: Bytes = server::audit(&AuditEntryView::for_affected_user(deed)).into_bytes();
        if let Err(error) = self.0.broker.publish_to_user(user, frame, here) {
            tracing::warn!(error = %error, "somebody was not told what was done to them");
        }
    }

    pub(super) fn notify_team_of_review(&self, stream: StreamId, message: &MessageView) {
        self.send_to_team(stream, server::review(message));
    }

    pub(super) fn notify_team_reviewed(&self, stream: StreamId, id: MessageId) {
        self.send_to_team(stream, server::reviewed(id));
    }

    /// To everybody who keeps order in a show, on every node. One that is lost is found in the list.
    fn send_to_team(&self, stream: StreamId, frame: Frame) {
        let frame: Bytes = frame.into_bytes();
        let body = [&[TEAM_FRAME_PREFIX][..], &frame].concat();
        let Ok(address) = UserId::parse(&stream.to_string()) else { return };
        if let Err(error) = self.0.broker.publish_to_user(address, body.into(), self.rooms().has_moderators(stream)) {
            tracing::warn!(stream.id = %stream, error = %error, "the team was not told of a message that waits");
        }
    }

    /// A page of the log of a show, newest first: for those who keep order.
    pub async fn audit_log(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntryView>> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        Ok(self.store().audit_entries(stream, None, after, limit).await?.into_iter().map(AuditEntryView::of).collect())
    }

    /// What was done to the one who asks, newest first; the banned may ask too.
    pub async fn my_audit_log(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Option<AuditEntryId>,
        limit: i64,
    ) -> Result<Vec<AuditEntryView>> {
        if actor.role == Role::Guest {
            return Err(Refusal::SignIn.into());
        }
        self.find_stream(stream).await?;
        let deeds = self.store().audit_entries(stream, Some(&actor.user), after, limit).await?;
        Ok(deeds.into_iter().map(AuditEntryView::for_affected_user).collect())
    }
}
