//! What can be carried out of a show: its talk and the log of actions, a page at a time, oldest first.

use super::{App, Result};
use crate::domain::{Action, ActionId, Actor, ChatMessage, Deed, MessageId, StreamId};

pub const PAGE: i64 = 500;

/// A message with what became of it: `said`, `held`, `hidden` or `deleted`.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    pub message: ChatMessage,
    pub status: &'static str,
}

impl App {
    /// May this one carry it out? To be asked before the first page.
    pub async fn may_export(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.find_show_for(actor, Action::Moderate, stream).await?;
        self.flush_chat().await;
        Ok(())
    }

    /// The next page of everything that was said, also what was taken away.
    pub async fn export_chat(&self, stream: StreamId, after: Option<MessageId>) -> Result<Vec<Line>> {
        let lines = self.store().talk_after(stream, after, PAGE).await?;
        let line = |(message, status): (ChatMessage, &'static str)| Line {
            status: if message.deleted { "deleted" } else { status },
            message,
        };
        Ok(lines.into_iter().map(line).collect())
    }

    pub async fn export_actions(&self, stream: StreamId, after: Option<ActionId>) -> Result<Vec<Deed>> {
        Ok(self.store().deeds_after(stream, after, PAGE).await?)
    }
}
