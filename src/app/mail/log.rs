//! The log of e-mails at the seller's desk.

use std::sync::Arc;

use super::Mail;
use crate::app::error::Result;
use crate::domain::{Actor, AuditAction, AuditEntry, MailId, MailStatus, Permission, Refusal};
use crate::protocol::MailView;
use crate::store::LoggedMail;

impl Mail {
    /// A page of the mails of the shop, the newest first, for those who choose the team. The audit log records it, because the list
    /// shows addresses.
    pub async fn mails(
        &self,
        actor: &Actor,
        status: Option<MailStatus>,
        after: Option<MailId>,
        limit: i64,
    ) -> Result<Vec<MailView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStreams).await?;
        let mails = self.context.store.mails(status, after, limit).await?;
        if !mails.is_empty() {
            self.audit.record_audit_entry(self.audit.audit_entry(
                actor,
                AuditEntry::WHOLE_SHOP,
                AuditAction::ReadMails,
            ));
        }
        Ok(mails.into_iter().map(mail_view).collect())
    }

    /// Sends a mail again that was sent or has failed, for those who choose the team. For one that waits, this changes nothing.
    pub async fn send_again(self: &Arc<Self>, actor: &Actor, id: MailId) -> Result<MailView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStreams).await?;
        let known = self.context.store.mail(id).await?.ok_or(Refusal::NoSuchMail)?;
        let waits = matches!(known.status, MailStatus::Queued | MailStatus::Sending);
        if !waits && known.kind.is_secret() {
            return Err(Refusal::WrongStatus("It contained a secret, which is erased. Ask for a new one.").into());
        }
        let (this, actor) = (self.clone(), actor.clone());
        self.context
            .spawn_write(async move {
                let again = this.context.store.send_mail_again(id).await?.ok_or(Refusal::NoSuchMail)?;
                if !waits {
                    this.context.mail_queued.notify_one();
                    let subject = Some(known.order.map_or_else(|| id.to_string(), |order| order.to_string()));
                    let entry = this.audit.audit_entry(&actor, AuditEntry::WHOLE_SHOP, AuditAction::SendMailAgain);
                    this.audit.record_audit_entry(AuditEntry { subject, ..entry });
                }
                Ok(mail_view(again))
            })
            .await
    }
}

pub fn mail_view(mail: LoggedMail) -> MailView {
    let is_over = matches!(mail.status, MailStatus::Sent | MailStatus::Failed);
    MailView {
        can_send_again: is_over && !mail.kind.is_secret(),
        id: mail.id,
        kind: mail.kind,
        to: mail.to,
        language: mail.language,
        order: mail.order,
        status: mail.status,
        attempts: mail.attempts,
        error: mail.last_error,
        created_at: mail.created_at,
        next_try_at: mail.next_try_at,
        sent_at: mail.sent_at,
    }
}
