//! Hearts: summed in memory, shown as one number, written behind.

use super::{App, Result};
use crate::domain::{Action, Actor, StreamId, reaction};
use crate::protocol::StateChange;

impl App {
    pub async fn react(&self, actor: &Actor, stream: StreamId, count: i64) -> Result<()> {
        actor.may(Action::Talk, Some(stream))?;
        let count = reaction::count(count)?;
        let likes = self.find_show(stream).await?.like(actor, count, self.now())?;
        // The other nodes hear of it when it is written, with everybody else's, within a second.
        self.show_here(stream, StateChange::Likes(likes), false);
        Ok(())
    }
}
