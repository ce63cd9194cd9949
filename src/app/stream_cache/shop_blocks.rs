//! Who is blocked in the whole shop, on this node. Every node reads it each second, so that a block holds everywhere within two.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::app::publisher::Publisher;
use crate::domain::{PersonKey, Role};
use crate::protocol::Close;

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The blocked persons, with the highest role that blocked each.
#[derive(Debug, Default)]
pub struct ShopBlocks(RwLock<Arc<HashMap<PersonKey, Role>>>);

impl ShopBlocks {
    /// The role that blocked this person.
    pub fn blocked_by(&self, person: &PersonKey) -> Option<Role> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(person).copied()
    }

    /// Takes what the store has. `false`: nothing changed.
    fn set(&self, blocks: Vec<(PersonKey, Role)>) -> bool {
        let mut all: HashMap<PersonKey, Role> = HashMap::with_capacity(blocks.len());
        for (person, role) in blocks {
            let highest = all.entry(person).or_insert(role);
            if role.outranks(*highest) {
                *highest = role;
            }
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_changed = **known != all;
        if is_changed {
            *known = Arc::new(all);
        }
        is_changed
    }

    /// Reads the blocks, and closes the connections of those who are blocked now.
    pub async fn refresh(&self, context: &Context, publisher: &Publisher) -> Result<()> {
        if self.set(context.store.shop_blocks().await?) {
            let is_blocked =
                |person: &PersonKey, role: Role| self.blocked_by(person).is_some_and(|by| by.outranks(role));
            let closed = publisher.rooms.close_all(Close::Banned, |actor| is_blocked(&actor.person(), actor.role));
            tracing::info!(closed, "the blocks of the shop have changed");
        }
        Ok(())
    }
}

/// Reads the blocks that other nodes changed.
pub struct ShopBlockJob {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    blocks: Arc<ShopBlocks>,
}

impl ShopBlockJob {
    pub fn new(context: &Arc<Context>, publisher: &Arc<Publisher>, blocks: &Arc<ShopBlocks>) -> Self {
        Self { context: context.clone(), publisher: publisher.clone(), blocks: blocks.clone() }
    }
}

impl BackgroundJob for ShopBlockJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("shop_blocks", POLL_INTERVAL, Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.blocks.refresh(&self.context, &self.publisher).await?;
        Ok(NextRun::AfterInterval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;

    #[test]
    fn highest_role_of_a_blocked_person_counts_and_a_repeated_read_changes_nothing() {
        let person = |name: &str| PersonKey::of_user(&UserId::parse(name).unwrap());
        let blocks = ShopBlocks::default();
        let both = || vec![(person("ann"), Role::Admin), (person("ann"), Role::Host)];
        assert!(blocks.set(both()));
        assert_eq!((blocks.blocked_by(&person("ann")), blocks.blocked_by(&person("bob"))), (Some(Role::Admin), None));
        assert!(!blocks.set(both()));
        assert!(blocks.set(Vec::new()) && blocks.blocked_by(&person("ann")).is_none());
    }
}
