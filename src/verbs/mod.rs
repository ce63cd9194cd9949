//! Live verbs: everything a client can do in a live show. Each verb is one struct with its name, least role, input and
//! reply, and is registered once in [`VERBS`].
//!
//! The WebSocket session and the REST routes both run a verb from here. The list of verbs, the REST routes of the verbs,
//! and their part of the OpenAPI and AsyncAPI documents are derived from the registry. `docs/adding-a-feature.md` adds a
//! verb step by step.

mod chat;
mod coupon;
mod moderation;
mod offer;
mod order;
mod reply;
mod stock_alert;
mod video;

use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::app::{App, Result};
use crate::domain::{Actor, Refusal, Role, StreamId};
use crate::protocol::input_error;
use crate::room::Member;

pub use reply::{NewOrder, RestReply, RestResponse, VerbReply};

/// What a client can do: deserialized from its JSON input, then run.
///
/// The doc comment of the struct is its description in the API documents.
pub trait Verb: DeserializeOwned + ToSchema + Send + Sized + 'static {
    /// The stable name: `do` on the socket, `operationId` in OpenAPI.
    const NAME: &'static str;
    /// The least powerful role that may use it, for the documents. The app's authorization decides each call.
    const LEAST_ROLE: Role;
    /// It waits for the database or the payment provider, so the session runs it beside the verbs that follow.
    const IS_SLOW: bool = true;
    /// The REST route; `None`: the verb exists on the socket only.
    const REST: Option<RestRoute>;
    type Reply: VerbReply;

    fn run(self, context: &VerbContext<'_>) -> impl Future<Output = Result<Self::Reply>> + Send;
}

/// Who runs a verb, and where.
#[derive(Clone, Copy)]
pub struct VerbContext<'a> {
    pub app: &'a App,
    pub actor: &'a Actor,
    /// The stream of the socket, or of the REST path.
    pub stream: Option<StreamId>,
    /// The connection in the room; `None` over REST.
    pub member: Option<&'a Member>,
}

impl VerbContext<'_> {
    /// The stream for verbs that act on a whole show. Their REST paths all name it.
    fn stream(&self) -> Result<StreamId> {
        self.stream.ok_or_else(|| Refusal::NoSuchStream.into())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Post,
    Put,
    Delete,
}

/// Where a REST route takes the fields that are not in its path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InputSource {
    Body,
    /// A JSON body that may be missing.
    OptionalBody,
    Query,
}

/// A REST route. `{stream}` in the path is the context's stream, every other parameter is the input field of that name.
#[derive(Clone, Copy, Debug)]
pub struct RestRoute {
    pub method: Method,
    pub path: &'static str,
    pub tag: &'static str,
    pub input: InputSource,
    /// The input field `key` is the `Idempotency-Key` header.
    pub has_key: bool,
}

impl RestRoute {
    const fn new(method: Method, path: &'static str, tag: &'static str, input: InputSource) -> Self {
        Self { method, path, tag, input, has_key: false }
    }

    const fn with_key(self) -> Self {
        Self { has_key: true, ..self }
    }

    /// The names of the path parameters, in order.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// A registered verb, without its type.
#[derive(Clone, Copy)]
pub struct VerbEntry {
    pub name: &'static str,
    pub least_role: Role,
    pub is_slow: bool,
    pub rest: Option<RestRoute>,
    /// False for a verb without a reply.
    pub has_reply: bool,
    /// The successful REST responses, for the documents.
    pub rest_responses: fn() -> Vec<RestResponse>,
    input_schema: fn() -> RefOr<Schema>,
    collect_schemas: fn(&mut Vec<(String, RefOr<Schema>)>),
    parse: fn(Value) -> std::result::Result<Box<dyn ParsedVerb>, Refusal>,
}

impl VerbEntry {
    const fn of<V: Verb>() -> Self {
        Self {
            name: V::NAME,
            least_role: V::LEAST_ROLE,
            is_slow: V::IS_SLOW,
            rest: V::REST,
            has_reply: V::Reply::IS_SENT,
            rest_responses: <V::Reply as VerbReply>::rest_responses,
            input_schema: <V as PartialSchema>::schema,
            collect_schemas: |schemas| {
                V::schemas(schemas);
                V::Reply::schemas(schemas);
            },
            parse: |fields| Ok(Box::new(input_error::parse::<V>(fields)?)),
        }
    }

    /// The JSON schema of the input: an object, one property for each field.
    pub fn input_schema(&self) -> Value {
        serde_json::to_value((self.input_schema)()).unwrap_or_default()
    }

    /// The named schemas that the input and the reply refer to.
    pub fn collect_schemas(&self, schemas: &mut Vec<(String, RefOr<Schema>)>) {
        (self.collect_schemas)(schemas);
    }

    /// The verb with its input. Unknown fields are ignored. Fails with `bad_request` if a field is missing or invalid.
    pub fn parse(&self, fields: Map<String, Value>) -> std::result::Result<Box<dyn ParsedVerb>, Refusal> {
        (self.parse)(Value::Object(fields))
    }
}

type VerbFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A verb with its input, ready to run.
pub trait ParsedVerb: Send {
    /// Runs the verb; the value is the `ok` of the reply frame. `None`: the verb has no reply.
    fn run_on_socket<'a>(self: Box<Self>, context: &'a VerbContext<'a>) -> VerbFuture<'a, Option<Value>>;

    fn run_over_rest<'a>(self: Box<Self>, context: &'a VerbContext<'a>) -> VerbFuture<'a, RestReply>;
}

impl<V: Verb> ParsedVerb for V {
    fn run_on_socket<'a>(self: Box<Self>, context: &'a VerbContext<'a>) -> VerbFuture<'a, Option<Value>> {
        Box::pin(async move {
            let reply = (*self).run(context).await?;
            Ok(V::Reply::IS_SENT.then(|| reply.on_socket()))
        })
    }

    fn run_over_rest<'a>(self: Box<Self>, context: &'a VerbContext<'a>) -> VerbFuture<'a, RestReply> {
        Box::pin(async move { Ok((*self).run(context).await?.over_rest()) })
    }
}

/// Every verb. The order is the order of the documents.
pub static VERBS: [VerbEntry; 34] = [
    VerbEntry::of::<chat::Say>(),
    VerbEntry::of::<chat::React>(),
    VerbEntry::of::<order::Buy>(),
    VerbEntry::of::<order::Pay>(),
    VerbEntry::of::<order::Cancel>(),
    VerbEntry::of::<order::Refund>(),
    VerbEntry::of::<order::RefundPart>(),
    VerbEntry::of::<offer::Seen>(),
    VerbEntry::of::<video::ReportVideoFault>(),
    VerbEntry::of::<stock_alert::AddStockAlert>(),
    VerbEntry::of::<stock_alert::RemoveStockAlert>(),
    VerbEntry::of::<offer::Pin>(),
    VerbEntry::of::<offer::Unpin>(),
    VerbEntry::of::<coupon::ShowCoupon>(),
    VerbEntry::of::<coupon::HideCoupon>(),
    VerbEntry::of::<coupon::ClaimCoupon>(),
    VerbEntry::of::<offer::Open>(),
    VerbEntry::of::<offer::Pause>(),
    VerbEntry::of::<offer::Close>(),
    VerbEntry::of::<offer::Restock>(),
    VerbEntry::of::<offer::Extend>(),
    VerbEntry::of::<offer::SetPayLater>(),
    VerbEntry::of::<moderation::DeleteMessage>(),
    VerbEntry::of::<moderation::Mute>(),
    VerbEntry::of::<moderation::Unmute>(),
    VerbEntry::of::<moderation::Ban>(),
    VerbEntry::of::<moderation::Unban>(),
    VerbEntry::of::<moderation::Approve>(),
    VerbEntry::of::<moderation::Reject>(),
    VerbEntry::of::<moderation::PinMessage>(),
    VerbEntry::of::<moderation::UnpinMessage>(),
    VerbEntry::of::<crate::domain::ChatRulesForm>(),
    VerbEntry::of::<moderation::SlowMode>(),
    VerbEntry::of::<moderation::Announce>(),
];

/// The verb of this name, or the refusal `unknown_verb`.
pub fn find(name: &str) -> std::result::Result<&'static VerbEntry, Refusal> {
    VERBS
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Refusal::UnknownVerb(name.chars().take(UNKNOWN_NAME_CHARS_MAX).collect()))
}

/// How much of an unknown name the refusal repeats.
const UNKNOWN_NAME_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::OfferId;

    fn parse(verb: &str, fields: Value) -> std::result::Result<(), &'static str> {
        let Value::Object(fields) = fields else { panic!("an object") };
        find(verb).and_then(|entry| entry.parse(fields)).map(|_| ()).map_err(|refusal| refusal.code())
    }

    #[test]
    fn input_is_parsed_or_refused_by_code() {
        let offer = OfferId::new();
        assert_eq!(parse("say", json!({"text": "hi", "more": 1})), Ok(()));
        assert_eq!(parse("buy", json!({"offer": offer, "qty": 1, "key": "12345678"})), Ok(()));
        for qty in [json!(1.5), json!("1"), json!(null), json!([]), json!(1e300), json!(u64::MAX)] {
            assert_eq!(parse("buy", json!({"offer": offer, "qty": qty})), Err("bad_request"), "{qty}");
        }
        assert_eq!(parse("buy", json!({"offer": "nope", "qty": 1})), Err("bad_request"));
        assert_eq!(parse("say", json!({})), Err("bad_request"));
        assert_eq!(parse("fly", json!({})), Err("unknown_verb"));
    }

    #[test]
    fn names_and_rest_routes_are_unique() {
        for (at, entry) in VERBS.iter().enumerate() {
            for other in &VERBS[at + 1..] {
                assert_ne!(entry.name, other.name);
                if let (Some(a), Some(b)) = (entry.rest, other.rest) {
                    assert!((a.method, a.path) != (b.method, b.path), "{} and {}", entry.name, other.name);
                }
            }
        }
    }

    #[test]
    fn every_path_parameter_is_an_input_field_or_the_stream() {
        for entry in &VERBS {
            let schema = entry.input_schema();
            assert_eq!(schema["type"], "object", "{}: {schema}", entry.name);
            let Some(route) = entry.rest else { continue };
            for name in route.path_parameters().filter(|name| *name != "stream") {
                assert!(schema["properties"][name].is_object(), "{}: no field {name}", entry.name);
            }
            assert_eq!(route.has_key, schema["properties"]["key"].is_object(), "{}", entry.name);
        }
    }
}
