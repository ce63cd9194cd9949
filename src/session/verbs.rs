//! What a client may ask for over its socket: each verb is the app's, under the name REST gives it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::{App, Error, Result};
use crate::domain::{Actor, ChatRulesForm, IdempotencyKey, Refusal, SanctionKind, StreamId, UserId};
use crate::protocol::{ClientFrame, Close, Frame, Verb, server};
use crate::room::Member;

/// What an answer needs to know about the connection.
#[derive(Clone)]
pub struct VerbContext {
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
pub async fn execute(context: &VerbContext, frame: ClientFrame) -> Option<Frame> {
    let ClientFrame { reference, verb } = frame;
    if let Ok(Verb::Seen { offer }) = verb {
        context.member.seen(offer);
        return None;
    }
    let outcome = match verb {
        // Their connection is being closed; what they still ask for is refused.
        Ok(_) if context.app.close_reason(&context.member) == Some(Close::Token) => Err(Refusal::TokenInvalid.into()),
        Ok(verb) => dispatch(&context.app, &context.member.actor, context.member.stream(), verb).await,
        Err(refusal) => Err(refusal.into()),
    };
    Some(match outcome {
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

async fn dispatch(app: &App, actor: &Actor, stream: StreamId, verb: Verb) -> Result<Value> {
    let key = |key: Option<String>| IdempotencyKey::parse(key.as_deref().unwrap_or(""));
    Ok(match verb {
        Verb::Say { text, reply_to } => json!(app.say(actor, stream, &text, reply_to).await?),
        Verb::React { count, .. } => app.react(actor, stream, count).await.map(|()| json!({}))?,
        Verb::Seen { .. } => Value::Null,
        Verb::Buy { offer, qty, key: given } => order_reply(app.buy(actor, offer, qty, key(given)?).await?),
        Verb::Pay { order: id, token, key: given } => order_reply(app.pay(actor, id, &token, key(given)?).await?),
        Verb::Cancel { order: id, key: given } => order_reply(app.cancel(actor, id, key(given)?).await?),
        Verb::Refund { order: id, restock, reason, key: given } => {
            order_reply(app.refund(actor, id, restock, reason, key(given)?).await?)
        }
        Verb::AddStockAlert { offer } => app.add_stock_alert(actor, offer).await.map(|()| json!({ "offer": offer }))?,
        Verb::RemoveStockAlert { offer } => {
            app.remove_stock_alert(actor, offer).await.map(|()| json!({ "offer": offer }))?
        }
        Verb::Pin { offer } => json!({ "pin": app.pin(actor, stream, offer).await? }),
        Verb::Unpin {} => app.unpin(actor, stream).await.map(|()| json!({ "pin": null }))?,
        Verb::Open { offer } => json!({ "offer": app.open_offer(actor, offer).await? }),
        Verb::Pause { offer } => json!({ "offer": app.pause_offer(actor, offer).await? }),
        Verb::Close { offer } => json!({ "offer": app.close_offer(actor, offer).await? }),
        Verb::Restock { offer, add } => json!({ "offer": app.restock_offer(actor, offer, add).await? }),
        Verb::Extend { offer, seconds } => json!({ "offer": app.extend_offer(actor, offer, seconds).await? }),
        Verb::DeleteMessage { id, reason } => {
            app.delete_message(actor, stream, id, reason.as_deref()).await.map(|()| json!({}))?
        }
        Verb::Mute { user, seconds, reason } => {
            json!({ "mute": app.mute(actor, stream, UserId::parse(&user)?, seconds, reason.as_deref()).await? })
        }
        Verb::Unmute { user, reason } => lift_sanction(app, actor, stream, &user, SanctionKind::Mute, reason).await?,
        Verb::Ban { user, reason } => {
            json!({ "ban": app.ban(actor, stream, UserId::parse(&user)?, reason.as_deref()).await? })
        }
        Verb::Unban { user, reason } => lift_sanction(app, actor, stream, &user, SanctionKind::Ban, reason).await?,
        Verb::Approve { id, reason } => app.approve(actor, stream, id, reason.as_deref()).await.map(|()| json!({}))?,
        Verb::Reject { id, reason } => app.reject(actor, stream, id, reason.as_deref()).await.map(|()| json!({}))?,
        Verb::PinMessage { id } => json!({ "chat": app.pin_message(actor, stream, id).await? }),
        Verb::UnpinMessage {} => app.unpin_message(actor, stream).await.map(|()| json!({}))?,
        Verb::ChatRules(form) => json!({ "chat": app.set_chat_rules(actor, stream, form).await? }),
        Verb::SlowMode { seconds } => {
            let form = ChatRulesForm { slow_s: Some(seconds), ..ChatRulesForm::default() };
            json!({ "chat": app.set_chat_rules(actor, stream, form).await? })
        }
        Verb::Announce { text } => json!({ "chat": app.announce(actor, stream, &text).await? }),
    })
}

fn order_reply(bought: crate::app::OrderResult) -> Value {
    json!({ "order": bought.order, "replayed": bought.is_replay })
}

async fn lift_sanction(
    app: &App,
    actor: &Actor,
    stream: StreamId,
    user: &str,
    kind: SanctionKind,
    reason: Option<String>,
) -> Result<Value> {
    app.lift_sanction(actor, stream, UserId::parse(user)?, kind, reason.as_deref()).await?;
    Ok(json!({}))
}

/// A connection with this many slow verbs under way is told to wait.
pub fn too_many_slow_verbs() -> Refusal {
    Refusal::Busy { retry_ms: 500 }
}
