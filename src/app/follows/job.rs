//! Notifies followers: writes their mails to the outbox in batches, after all other mails in the order of the outbox and only while it
//! has room, so that many followers delay no code and no mail about an order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Follows;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::Millis;
use crate::store::AnnouncementStep;

const INTERVAL: Duration = Duration::from_secs(1);
/// Between two batches: mail servers limit how fast they take mails.
const PAUSE: Duration = Duration::from_millis(500);
const CLEANUP_INTERVAL_MS: Millis = 600_000;
const CLEANUP_BATCH: i64 = 500;
/// How long announcements of a show that is over are kept.
const ANNOUNCEMENT_KEPT_MS: Millis = 86_400_000;

pub struct FollowJob {
    follows: Arc<Follows>,
    cleaned_at: Millis,
}

impl FollowJob {
    pub fn new(follows: Arc<Follows>) -> Self {
        Self { follows, cleaned_at: 0 }
    }

    /// Deletes requests whose time is over, and announcements of shows that are.
    async fn clean_up(&mut self) -> Result<()> {
        let (context, now) = (&self.follows.context, self.follows.context.now());
        if now - self.cleaned_at < CLEANUP_INTERVAL_MS {
            return Ok(());
        }
        let requests = context.store.delete_old_follow_requests(CLEANUP_BATCH).await?;
        let announcements = context.store.delete_old_announcements(now - ANNOUNCEMENT_KEPT_MS, CLEANUP_BATCH).await?;
        // A full batch may have left some.
        if requests.max(announcements) < CLEANUP_BATCH.unsigned_abs() {
            self.cleaned_at = now;
        }
        Ok(())
    }
}

impl BackgroundJob for FollowJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("follows", INTERVAL, Duration::from_secs(30))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.clean_up().await?;
        let (context, counters) = (&self.follows.context, &self.follows.context.counters);
        let step = context.store.notify_followers().await?;
        match step {
            AnnouncementStep::Written { mails, is_finished } => {
                counters.follower_mails.fetch_add(mails.unsigned_abs(), Ordering::Relaxed);
                if is_finished {
                    counters.announcements.increment("finished");
                }
                context.mail_queued.notify_one();
            }
            AnnouncementStep::Stale => {
                // Without a mail server no follower expects a mail.
                counters.announcements.increment(if self.follows.can_follow() { "late" } else { "skipped" });
                tracing::info!("followers were not notified of a show or a product, because it was too late");
            }
            AnnouncementStep::Idle | AnnouncementStep::Full => {}
        }
        let queue = context.store.announcement_queue().await?;
        counters.announcements_waiting.store(queue.waiting.unsigned_abs(), Ordering::Relaxed);
        counters.announcements_oldest_at.store(queue.oldest_at.unwrap_or_default(), Ordering::Relaxed);
        counters.follower_mails_waiting.store(queue.mails.unsigned_abs(), Ordering::Relaxed);
        Ok(match step {
            AnnouncementStep::Written { .. } | AnnouncementStep::Stale => NextRun::After(PAUSE),
            AnnouncementStep::Idle | AnnouncementStep::Full => NextRun::AfterInterval,
        })
    }
}
