//! Hearts: summed in memory, shown as one number, written behind.

use super::{App, Result};
use crate::domain::{Actor, Permission, StreamId, reaction};
use crate::protocol::StateChange;

impl App {
    pub async fn react(&self, actor: &Actor, stream: StreamId, count: i64) -> Result<()> {
        actor.authorize(Permission::Chat, Some(stream))?;
        let count = reaction::validate_count(count)?;
        let likes = self.find_stream(stream).await?.add_likes(actor, count, self.now())?;
        // The other nodes hear of it when it is written, with everybody else's, within a second.
        self.set_local_state(stream, StateChange::Likes(likes), false);
        Ok(())
    }
}
