//! Forgetting: a person's data when they ask for it, talk when it is older than the shop keeps it.

use std::time::Duration;

use super::chat::WRITE_BEHIND_MS;
use super::{App, Result};
use crate::domain::{Actor, Event, Millis, Permission, Refusal, Role, UserId};
use crate::protocol::{ErasedView, KeptView};
use crate::store::ErasureReport;

const PRUNE_INTERVAL: Duration = Duration::from_secs(60);
/// Between two batches, so that buying is not kept waiting.
const BATCH_PAUSE: Duration = Duration::from_millis(50);

impl App {
    /// Forgets the one who asks.
    pub async fn erase_own_data(&self, actor: &Actor) -> Result<ErasedView> {
        if actor.role == Role::Guest {
            return Err(Refusal::SignIn.into());
        }
        self.erase(actor.user.clone()).await
    }

    /// Forgets somebody: for an admin, whom they asked by letter.
    pub async fn erase_user_data(&self, actor: &Actor, user: UserId) -> Result<ErasedView> {
        actor.authorize(Permission::EraseUserData, None)?;
        self.erase(user).await
    }

    async fn erase(&self, user: UserId) -> Result<ErasedView> {
        let app = self.clone();
        self.spawn_write(async move {
            app.flush_chat().await;
            let mut erased = app.store().erase_user_data(&user).await?;
            for stream in &erased.streams {
                app.publish_committed_event(*stream, &Event::Erased { user: user.clone() }).await;
                app.refresh_stream(*stream);
            }
            if app.0.broker.is_shared() {
                // What another node told a moment ago and had not written yet.
                tokio::time::sleep(Duration::from_millis(WRITE_BEHIND_MS.unsigned_abs())).await;
                erased.messages += app.store().erase_user_data(&user).await?.messages;
                for stream in &erased.streams {
                    app.store().erase_orphaned_quotes(*stream).await?;
                }
            }
            tracing::info!(messages = erased.messages, orders = erased.orders, "a person's data was erased");
            Ok(erased_view(erased))
        })
        .await
    }
}

fn erased_view(erased: ErasureReport) -> ErasedView {
    let ErasureReport { messages, orders, sanctions, audit_entries: actions, .. } = erased;
    let kept = [
        ("orders", orders, "amounts, times and the buyer's id: the shop's books and refunds need them"),
        ("sanctions", sanctions, "the id of one who is muted or banned, until that ends"),
        ("actions", actions, "what the team did and when, by id: so that it can be asked about"),
    ];
    let kept = kept.into_iter().filter(|(_, count, _)| *count > 0);
    let kept = kept.map(|(what, count, why)| KeptView { what: what.into(), count, why: why.into() }).collect();
    ErasedView { messages, orders, kept }
}

/// Deletes talk that is older than the shop keeps it, if it does not keep it for ever.
pub async fn run_message_pruning(app: App) {
    let Some(kept_ms) = app.settings().chat_retention_ms else { return };
    loop {
        if let Err(error) = delete_old_messages(&app, app.now() - kept_ms).await {
            tracing::warn!(error = %error, "old talk is not deleted yet");
        }
        tokio::select! {
            () = tokio::time::sleep(PRUNE_INTERVAL) => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

/// Everything said before `before`, in small batches.
async fn delete_old_messages(app: &App, before: Millis) -> Result<u64> {
    let mut forgotten = 0;
    loop {
        let some = app.store().delete_messages_before(before).await?;
        forgotten += some;
        if some == 0 || app.0.stop.is_cancelled() {
            break;
        }
        tokio::time::sleep(BATCH_PAUSE).await;
    }
    if forgotten > 0 {
        tracing::info!(messages = forgotten, "old talk was deleted");
    }
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing;
    use crate::domain::{Author, ChatMessage, MessageId, StreamId};

    #[tokio::test]
    async fn talk_is_forgotten_when_its_days_are_over_and_not_before() {
        let (app, _folder) = testing::app().await;
        let from = Author { id: UserId::parse("ann").unwrap(), name: "Ann".into(), role: Role::Viewer };
        let message = |stream| ChatMessage {
            id: MessageId::new(),
            stream,
            at: 0,
            from: from.clone(),
            text: "hi".into(),
            reply: None,
            deleted: false,
        };
        let stream = StreamId::new();
        let said: Vec<_> = (0..600).map(|_| message(stream)).collect();
        app.store().insert_messages(&said).await.unwrap();
        let (days, now) = (90 * 86_400_000, app.now());
        assert_eq!(delete_old_messages(&app, now - days).await, Ok(0));
        // The clock ninety days and a minute later.
        assert_eq!(delete_old_messages(&app, (now + days + 60_000) - days).await, Ok(600));
        assert_eq!(app.store().count_messages(stream).await.unwrap(), 0);
    }
}
