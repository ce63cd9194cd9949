//! What can be carried out of a show: its talk and the log of actions, a page at a time, oldest first.

use super::{App, Result};
use crate::domain::{Actor, AuditEntry, AuditEntryId, ChatMessage, MessageId, Permission, StreamId};

pub const EXPORT_PAGE_SIZE: i64 = 500;

/// A message with what became of it: `said`, `held`, `hidden` or `deleted`.
#[derive(Clone, PartialEq, Debug)]
pub struct ExportedMessage {
    pub message: ChatMessage,
    pub status: &'static str,
}

impl App {
    /// May this one carry it out? To be asked before the first page.
    pub async fn authorize_export(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.authorize(actor, Permission::Moderate, stream).await?;
        self.flush_chat().await;
        Ok(())
    }

    /// The next page of everything that was said, also what was taken away.
    pub async fn export_chat(&self, stream: StreamId, after: Option<MessageId>) -> Result<Vec<ExportedMessage>> {
        let lines = self.store().messages_after(stream, after, EXPORT_PAGE_SIZE).await?;
        let line = |(message, status): (ChatMessage, &'static str)| ExportedMessage {
            status: if message.deleted { "deleted" } else { status },
            message,
        };
        Ok(lines.into_iter().map(line).collect())
    }

    pub async fn export_audit_log(&self, stream: StreamId, after: Option<AuditEntryId>) -> Result<Vec<AuditEntry>> {
        Ok(self.store().audit_entries_after(stream, after, EXPORT_PAGE_SIZE).await?)
    }
}
