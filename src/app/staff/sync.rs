//! What changes about the staff while they are connected: their roles, and their names.
//!
//! A request looks its session up again within two seconds. A connection has the role with which it began, so it is closed when the
//! session allows less now: the account needs a passkey that the session has not proved. It reconnects at once, with what is left.

use std::sync::Arc;
use std::time::Duration;

use super::Staff;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::staff::highest_role;
use crate::domain::{Role, StaffNames};
use crate::protocol::Close;

const INTERVAL: Duration = Duration::from_secs(1);
/// The connections of one member of the staff are few: they need not come back one after another.
const RECONNECT_AFTER_MS: i64 = 100;

/// Reads the names and the roles of the staff again.
pub struct StaffSyncJob(pub Arc<Staff>);

impl BackgroundJob for StaffSyncJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("staff_sync", INTERVAL, Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let Staff { context, publisher, accounts, .. } = &*self.0;
        context.set_staff_names(StaffNames::new(context.store.staff_names().await?));
        let connected = publisher.rooms.staff_sessions();
        if connected.is_empty() {
            return Ok(NextRun::AfterInterval);
        }
        let sessions: Vec<_> = connected.into_iter().collect();
        let roles = context.store.roles_of_sessions(&sessions).await?;
        let weaker = publisher.rooms.close_staff(Close::Ttl { retry_ms: RECONNECT_AFTER_MS }, |actor, stream| {
            actor.session.as_ref().is_some_and(|session| {
                let now = roles.get(&session.id).and_then(|roles| highest_role(roles, Some(stream)));
                // One that connected a moment ago was not asked about.
                sessions.contains(&session.id) && !actor.role.is_within(now.unwrap_or(Role::Viewer))
            })
        });
        for user in &weaker {
            accounts.forget(user);
        }
        if !weaker.is_empty() {
            tracing::info!(closed = weaker.len(), "connections of the staff were closed: they have lost a role");
        }
        Ok(NextRun::AfterInterval)
    }
}
