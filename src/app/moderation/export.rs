//! Export of a stream's chat and audit log, page by page, oldest first.

use super::Moderation;
use crate::app::error::Result;
use crate::domain::{Actor, AuditEntry, AuditEntryId, ChatMessage, MessageId, Permission, StreamId};

const EXPORT_PAGE_SIZE: i64 = 500;

/// A chat message with its status: `published`, `pending_review`, `rejected` or `deleted`.
#[derive(Clone, PartialEq, Debug)]
pub struct ExportedMessage {
    pub message: ChatMessage,
    pub status: &'static str,
}

impl Moderation {
    /// Checks whether the caller may export. Must be called before each page.
    pub async fn authorize_export(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::Moderate, stream).await.map(drop)
    }

    /// The next page of all messages, including those that were removed.
    pub async fn export_chat(&self, stream: StreamId, after: Option<MessageId>) -> Result<Vec<ExportedMessage>> {
        let messages = self.context.store.messages_after(stream, after, EXPORT_PAGE_SIZE).await?;
        let exported = |(message, status): (ChatMessage, &'static str)| ExportedMessage {
            status: if message.deleted { "deleted" } else { status },
            message,
        };
        Ok(messages.into_iter().map(exported).collect())
    }

    pub async fn export_audit_log(&self, stream: StreamId, after: Option<AuditEntryId>) -> Result<Vec<AuditEntry>> {
        Ok(self.context.store.audit_entries_after(stream, after, EXPORT_PAGE_SIZE).await?)
    }
}
