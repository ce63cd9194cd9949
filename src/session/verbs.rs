//! What a client may ask for over its socket: each verb is the app's, under the name REST gives it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::{App, Error, Result};
use crate::domain::{Actor, Key, Refusal, SanctionKind, StreamId, UserId};
use crate::protocol::{ClientFrame, Close, Frame, Verb, server};
use crate::room::Member;

/// What an answer needs to know about the connection.
#[derive(Clone)]
pub struct Context {
    pub app: App,
    /// Who asks, and where the answer goes.
    pub member: Arc<Member>,
}

impl Verb {
    /// Waits for the database or the payment provider, so it must not hold up what the client says next.
    pub fn is_slow(&self) -> bool {
        !matches!(self, Verb::Say { .. } | Verb::React { .. } | Verb::Seen { .. })
    }
}

/// The answer to one frame; `None` for what nobody answers.
pub async fn answer(context: &Context, frame: ClientFrame) -> Option<Frame> {
    let ClientFrame { reference, verb } = frame;
    if let Ok(Verb::Seen { offer }) = verb {
        context.member.seen(offer);
        return None;
    }
    let told = match verb {
        // Their connection is being closed; what they still ask for is refused.
        Ok(_) if context.app.sends_away(&context.member) == Some(Close::Token) => Err(Refusal::TokenInvalid.into()),
        Ok(verb) => perform(&context.app, &context.member.actor, context.member.stream(), verb).await,
        Err(refusal) => Err(refusal.into()),
    };
    Some(match told {
        Ok(value) => server::reply(reference.as_deref(), &value),
        Err(error) => reply_error(reference.as_deref(), &error),
    })
}

fn reply_error(reference: Option<&str>, error: &Error) -> Frame {
    match error {
        Error::Refused(refusal) => server::reply_refused(reference, refusal),
        Error::Unavailable | Error::OutcomeUnknown => {
            server::reply_error(reference, error.code(), &error.to_string(), Some(1_000))
        }
    }
}

async fn perform(app: &App, actor: &Actor, stream: StreamId, verb: Verb) -> Result<Value> {
    let key = |key: Option<String>| Key::parse(key.as_deref().unwrap_or(""));
    Ok(match verb {
        Verb::Say { text } => json!({ "id": app.say(actor, stream, &text).await? }),
        Verb::React { count, .. } => app.react(actor, stream, count).await.map(|()| json!({}))?,
        Verb::Seen { .. } => Value::Null,
        Verb::Buy { offer, qty, key: given } => order(app.buy(actor, offer, qty, key(given)?).await?),
        Verb::Pay { order: id, token, key: given } => order(app.pay(actor, id, &token, key(given)?).await?),
        Verb::Cancel { order: id, key: given } => order(app.cancel(actor, id, key(given)?).await?),
        Verb::Refund { order: id, restock, reason, key: given } => {
            order(app.refund(actor, id, restock, reason, key(given)?).await?)
        }
        Verb::Pin { offer } => json!({ "pin": app.pin(actor, stream, offer).await? }),
        Verb::Unpin {} => app.unpin(actor, stream).await.map(|()| json!({ "pin": null }))?,
        Verb::Open { offer } => json!({ "offer": app.open_offer(actor, offer).await? }),
        Verb::Pause { offer } => json!({ "offer": app.pause_offer(actor, offer).await? }),
        Verb::Close { offer } => json!({ "offer": app.close_offer(actor, offer).await? }),
        Verb::Restock { offer, add } => json!({ "offer": app.restock_offer(actor, offer, add).await? }),
        Verb::Extend { offer, seconds } => json!({ "offer": app.extend_offer(actor, offer, seconds).await? }),
        Verb::DeleteMessage { id } => app.delete_message(actor, stream, id).await.map(|()| json!({}))?,
        Verb::Mute { user, seconds } => {
            json!({ "mute": app.mute(actor, stream, UserId::parse(&user)?, seconds).await? })
        }
        Verb::Unmute { user } => lift(app, actor, stream, &user, SanctionKind::Mute).await?,
        Verb::Ban { user } => json!({ "ban": app.ban(actor, stream, UserId::parse(&user)?).await? }),
        Verb::Unban { user } => lift(app, actor, stream, &user, SanctionKind::Ban).await?,
        Verb::SlowMode { seconds } => json!({ "chat": app.slow_mode(actor, stream, seconds).await? }),
        Verb::Announce { text } => json!({ "chat": app.announce(actor, stream, &text).await? }),
    })
}

fn order(bought: crate::app::Bought) -> Value {
    json!({ "order": bought.order, "replayed": bought.replayed })
}

async fn lift(app: &App, actor: &Actor, stream: StreamId, user: &str, kind: SanctionKind) -> Result<Value> {
    app.lift(actor, stream, UserId::parse(user)?, kind).await?;
    Ok(json!({}))
}

/// A connection with this many slow verbs under way is told to wait.
pub fn too_many() -> Refusal {
    Refusal::Busy { retry_ms: 500 }
}
