//! Forgetting: a person's data when they ask for it, talk when it is older than the shop keeps it.

use std::time::Duration;

use super::chat::WRITTEN_BEHIND_MS;
use super::{App, Result};
use crate::domain::{Action, Actor, Event, Millis, Refusal, Role, UserId};
use crate::protocol::{ErasedView, KeptView};
use crate::store::Erased;

const EVERY: Duration = Duration::from_secs(60);
/// Between two batches, so that buying is not kept waiting.
const BREATH: Duration = Duration::from_millis(50);

impl App {
    /// Forgets the one who asks.
    pub async fn erase_me(&self, actor: &Actor) -> Result<ErasedView> {
        if actor.role == Role::Guest {
            return Err(Refusal::SignIn.into());
        }
        self.erase(actor.user.clone()).await
    }

    /// Forgets somebody: for an admin, whom they asked by letter.
    pub async fn erase_user(&self, actor: &Actor, user: UserId) -> Result<ErasedView> {
        actor.may(Action::Erase, None)?;
        self.erase(user).await
    }

    async fn erase(&self, user: UserId) -> Result<ErasedView> {
        let app = self.clone();
        self.write(async move {
            app.flush_chat().await;
            let mut erased = app.store().erase_user(&user).await?;
            for stream in &erased.streams {
                app.tell(*stream, &Event::Erased { user: user.clone() }).await;
                app.refresh(*stream);
            }
            if app.0.broker.is_shared() {
                // What another node told a moment ago and had not written yet.
                tokio::time::sleep(Duration::from_millis(WRITTEN_BEHIND_MS.unsigned_abs())).await;
                erased.messages += app.store().erase_user(&user).await?.messages;
                for stream in &erased.streams {
                    app.store().forget_quotes(*stream).await?;
                }
            }
            tracing::info!(messages = erased.messages, orders = erased.orders, "a person's data was erased");
            Ok(view(erased))
        })
        .await
    }
}

fn view(erased: Erased) -> ErasedView {
    let Erased { messages, orders, sanctions, actions, .. } = erased;
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
pub async fn forget(app: App) {
    let Some(kept_ms) = app.settings().chat_kept_ms else { return };
    loop {
        if let Err(error) = forget_once(&app, app.now() - kept_ms).await {
            tracing::warn!(error = %error, "old talk is not deleted yet");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.0.stop.cancelled() => return,
        }
    }
}

/// Everything said before `before`, in small batches.
async fn forget_once(app: &App, before: Millis) -> Result<u64> {
    let mut forgotten = 0;
    loop {
        let some = app.store().forget_talk(before).await?;
        forgotten += some;
        if some == 0 || app.0.stop.is_cancelled() {
            break;
        }
        tokio::time::sleep(BREATH).await;
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
    use crate::domain::{ChatMessage, MessageId, Speaker, StreamId};

    #[tokio::test]
    async fn talk_is_forgotten_when_its_days_are_over_and_not_before() {
        let (app, _folder) = testing::app().await;
        let from = Speaker { id: UserId::parse("ann").unwrap(), name: "Ann".into(), role: Role::Viewer };
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
        app.store().keep_messages(&said).await.unwrap();
        let (days, now) = (90 * 86_400_000, app.now());
        assert_eq!(forget_once(&app, now - days).await, Ok(0));
        // The clock ninety days and a minute later.
        assert_eq!(forget_once(&app, (now + days + 60_000) - days).await, Ok(600));
        assert_eq!(app.store().count_messages(stream).await.unwrap(), 0);
    }
}
