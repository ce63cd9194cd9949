//! One request: who asks, what for, whether it was answered before, and what goes wrong with it.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::caller::{self, Caller};
use crate::customer::{Customer, Method};
use crate::error::ApiError;
use crate::faults::{Call, Fault};
use crate::form::Parameters;
use crate::idempotency::{Answer, Found};
use crate::intent::Charge;
use crate::server::send_waiting_events;
use crate::{RECEIVED_MAX, Received, Shared, World, pages, parameters};

pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    pub version: Option<String>,
    pub idempotency_key: Option<String>,
    pub body: Bytes,
}

pub enum Sent {
    Json {
        status: u16,
        body: Value,
        headers: Vec<(&'static str, String)>,
        is_cut: bool,
    },
    Page {
        kind: &'static str,
        body: String,
    },
    Redirect(String),
    /// The connection is closed.
    Nothing,
}

impl Sent {
    pub fn json(status: u16, body: Value) -> Self {
        Sent::Json { status, body, headers: Vec::new(), is_cut: false }
    }
}

pub async fn answer(shared: &Arc<Shared>, asked: Asked) -> Sent {
    if asked.method == "OPTIONS" {
        return Sent::json(200, Value::Null);
    }
    let given = Parameters::parse(if asked.method == "GET" { asked.query.as_bytes() } else { &asked.body });
    let segments: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    if let Some(sent) = pages::answer(shared, &asked.method, &segments, &given, &asked.query).await {
        return sent;
    }
    let call = match (asked.method.as_str(), segments.as_slice()) {
        ("POST", ["v1", "payment_intents"]) => Call::Create,
        ("POST", ["v1", "payment_intents", _, "confirm"]) => Call::Confirm,
        ("POST", ["v1", "payment_intents", _, "capture"]) => Call::Capture,
        ("POST", ["v1", "payment_intents", _, "cancel"]) => Call::Cancel,
        ("GET", ["v1", "payment_intents"]) => Call::List,
        ("GET", ["v1", "payment_intents", id]) if *id != "search" => Call::Fetch,
        ("POST", ["v1", "refunds"]) => Call::Refund,
        ("GET", ["v1", "disputes"]) => Call::Disputes,
        ("POST", ["v1", "customers"]) => Call::CreateCustomer,
        ("DELETE", ["v1", "customers", _]) => Call::DeleteCustomer,
        ("GET", ["v1", "customers", _, "payment_methods"]) => Call::ListMethods,
        ("POST", ["v1", "payment_methods", _, "detach"]) => Call::Detach,
        _ => Call::Other,
    };
    let sent = call_api(shared, &asked, call, &segments, &given).await;
    let is_before = shared.world().delivery.is_before_answer;
    if is_before {
        send_waiting_events(shared).await;
    }
    shared.has_events.notify_one();
    sent
}

async fn call_api(shared: &Arc<Shared>, asked: &Asked, call: Call, segments: &[&str], given: &Parameters) -> Sent {
    let fault = {
        let mut world = shared.world();
        if world.received.len() < RECEIVED_MAX {
            world.received.push(Received {
                method: asked.method.clone(),
                path: asked.path.clone(),
                body: String::from_utf8_lossy(&asked.body).into_owned(),
                idempotency_key: asked.idempotency_key.clone(),
                version: asked.version.clone(),
            });
        }
        match world.faults.take(call) {
            Some(Fault::CutBefore) => return Sent::Nothing,
            fault if fault == Some(Fault::RateLimit) || !world.limit.take(&asked.method, call) => {
                let error = ApiError::new(429, "invalid_request_error", Some("rate_limit"), "Too many requests.");
                let headers = vec![("stripe-rate-limited-reason", "endpoint-rate".to_owned())];
                return Sent::Json { status: 429, body: error.body(), headers, is_cut: false };
            }
            fault => fault,
        }
    };
    let caller = match caller::check(shared, asked, call, given) {
        Ok(caller) => caller,
        Err(error) => return Sent::json(error.status, error.body()),
    };
    let key = asked.idempotency_key.clone().filter(|_| asked.method == "POST").map(|key| format!("{caller:?}:{key}"));
    let object = segments.get(2).map(|id| (*id).to_owned());
    {
        let mut world = shared.world();
        let is_held = object.as_ref().is_some_and(|id| asked.method == "POST" && world.locked.contains(id));
        if fault == Some(Fault::LockTimeout) || is_held {
            let message = "This object cannot be accessed right now because another request holds it.";
            let error = ApiError::new(429, "invalid_request_error", Some("lock_timeout"), message);
            return Sent::json(error.status, error.body());
        }
        let request = format!("{} {} {}", asked.method, asked.path, String::from_utf8_lossy(&asked.body));
        if let Some(key) = &key {
            match world.keys.begin(key, &request, shared.now_s()) {
                Found::New => {}
                Found::Replayed(Answer { status, body }) => {
                    let headers = vec![("idempotent-replayed", "true".to_owned())];
                    return Sent::Json { status, body, headers, is_cut: false };
                }
                Found::Other => {
                    let message = "Keys for idempotent requests can only be used with the same parameters.";
                    let error = ApiError::new(400, "idempotency_error", None, message);
                    return Sent::json(error.status, error.body());
                }
                Found::Running => {
                    let message = "Another request with this key is running.";
                    let error = ApiError::new(409, "idempotency_error", Some("idempotency_key_in_use"), message);
                    return Sent::json(error.status, error.body());
                }
            }
        }
        if let (Some(Fault::Slow(_)), Some(id)) = (fault, &object) {
            world.locked.push(id.clone());
        }
    }
    if let Some(Fault::Slow(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    let mut world = shared.world();
    if let Some(id) = &object {
        world.locked.retain(|held| held != id);
    }
    let internal = || ApiError { is_kept: true, ..ApiError::new(500, "api_error", None, "An error on our side.") };
    let mut result = if fault == Some(Fault::ErrorBefore) {
        Err(internal())
    } else {
        execute(&mut world, call, &asked.method, segments, given, caller, shared.now_s())
    };
    if fault == Some(Fault::ErrorAfter) {
        result = Err(internal());
    }
    let (status, body, is_kept) = match result {
        Ok(body) => (200, body, true),
        Err(error) => (error.status, error.body(), error.is_kept),
    };
    if let Some(key) = key {
        world.keys.finish(&key, is_kept.then(|| Answer { status, body: body.clone() }));
    }
    let request_id = world.ledger.new_id("req");
    match fault {
        Some(Fault::CutAfter) => Sent::Nothing,
        _ => Sent::Json {
            status,
            body,
            headers: vec![("request-id", request_id)],
            is_cut: fault == Some(Fault::HalfAnswer),
        },
    }
}

fn execute(
    world: &mut World,
    call: Call,
    method: &str,
    segments: &[&str],
    given: &Parameters,
    caller: Caller,
    now: i64,
) -> Result<Value, ApiError> {
    parameters::check(call, given)?;
    caller::check_sight(world, segments, given, caller)?;
    let newest_before = world.ledger.intents.keys().next_back().cloned();
    let (ledger, is_live) = (&mut world.ledger, caller.is_live);
    match (call, segments) {
        (Call::Create, _) => {
            let made = ledger.create_intent(given, is_live, now);
            // Also one whose card is declined.
            let newest = ledger.intents.keys().next_back().filter(|id| Some(*id) != newest_before.as_ref());
            world.intents_of_other.extend(newest.filter(|_| caller.is_other_account).cloned());
            made
        }
        (Call::Confirm, [_, _, id, _]) => ledger.confirm_intent(id, given, now),
        (Call::Capture, [_, _, id, _]) => ledger.capture_intent(id, given, now),
        (Call::Cancel, [_, _, id, _]) => ledger.cancel_intent(id, given, now),
        (Call::Fetch, [_, _, id]) => ledger.intent(id).map(|intent| ledger.intent_view(intent, given)),
        (Call::Refund, _) => ledger.create_refund(given, now),
        (Call::List, _) => list_intents(world, given, caller),
        (_, ["v1", "payment_intents", "search"]) => search_intents(world, given, now),
        (_, ["v1", "refunds", id]) if method == "GET" => {
            ledger.refunds.get(*id).map(|refund| refund.view()).ok_or_else(|| ApiError::missing("refund", id))
        }
        (_, ["v1", "refunds"]) if method == "GET" => {
            let wanted = given.text("payment_intent");
            let fits = |intent: &str| wanted.is_none_or(|wanted| wanted == intent);
            let all = ledger.refunds.values().rev().filter(|refund| fits(&refund.intent)).map(|refund| refund.view());
            Ok(list(all.collect(), "/v1/refunds", false))
        }
        (_, ["v1", "charges", id]) if method == "GET" => {
            ledger.charges.get(*id).map(|charge| charge.view()).ok_or_else(|| ApiError::missing("charge", id))
        }
        (Call::Disputes, _) => {
            let fits = |name: &str, value: &str| given.text(name).is_none_or(|wanted| wanted == value);
            let found = ledger
                .disputes
                .values()
                .rev()
                .filter(|dispute| fits("payment_intent", &dispute.intent) && fits("charge", &dispute.charge));
            Ok(list(found.map(|dispute| dispute.view()).collect(), "/v1/disputes", false))
        }
        // The team accepts that it is lost.
        (_, ["v1", "disputes", id, "close"]) if method == "POST" => ledger.close_dispute(id, false, now),
        (_, ["v1", "balance_transactions", id]) if method == "GET" => {
            let of_it = |charge: &&Charge| charge.balance_transaction().as_deref() == Some(*id);
            let charge = ledger.charges.values().find(of_it);
            charge.and_then(Charge::settled).ok_or_else(|| ApiError::missing("balance_transaction", id))
        }
        (Call::CreateCustomer, _) => ledger.create_customer(given, is_live, now),
        (Call::DeleteCustomer, [_, _, id]) => ledger.delete_customer(id, is_live, now),
        (_, ["v1", "customers", id]) if method == "GET" => ledger.customer(id, is_live).map(Customer::view),
        (Call::ListMethods, [_, _, id, _]) => {
            let (page, has_more) = ledger.methods_of(id, given, is_live)?;
            Ok(list(page, &format!("/v1/customers/{id}/payment_methods"), has_more))
        }
        (_, ["v1", "payment_methods", id]) if method == "GET" => ledger.method(id, is_live).map(Method::view),
        (Call::Detach, [_, _, id, _]) => ledger.detach_method(id, is_live, now),
        _ => Err(ApiError::new(404, "invalid_request_error", None, "Unrecognized request URL.")),
    }
}

fn list(data: Vec<Value>, url: &str, has_more: bool) -> Value {
    json!({ "object": "list", "data": data, "has_more": has_more, "url": url })
}

/// Intents by their time, the newest first. It is consistent: what was created is listed at once.
fn list_intents(world: &World, given: &Parameters, caller: Caller) -> Result<Value, ApiError> {
    let limit = given.integer("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::invalid("parameter_invalid_integer", "limit must be between 1 and 100."));
    }
    let created = Parameters(given.object("created"));
    let (gte, gt) = (created.integer("gte")?, created.integer("gt")?);
    let (lte, lt) = (created.integer("lte")?, created.integer("lt")?);
    let is_in_time = |at: i64| {
        gte.is_none_or(|than| at >= than)
            && gt.is_none_or(|than| at > than)
            && lte.is_none_or(|than| at <= than)
            && lt.is_none_or(|than| at < than)
    };
    let (after, before) = (given.text("starting_after"), given.text("ending_before"));
    let fits = |id: &str| after.is_none_or(|cursor| id < cursor) && before.is_none_or(|cursor| id > cursor);
    let mut found = world
        .ledger
        .intents
        .values()
        .rev()
        .filter(|intent| is_in_time(intent.created) && fits(&intent.id) && caller.sees(world, intent));
    let page = found.by_ref().take(limit as usize).map(|intent| world.ledger.intent_view(intent, given)).collect();
    Ok(list(page, "/v1/payment_intents", found.next().is_some()))
}

/// How far the search is behind, in seconds.
const SEARCH_LAG: Duration = Duration::from_secs(60);

/// Intents by their metadata. It is late, as the original is: a client that relies on it fails its test.
fn search_intents(world: &World, given: &Parameters, now: i64) -> Result<Value, ApiError> {
    let query = given.required("query")?;
    let seen = |created: i64| created + SEARCH_LAG.as_secs() as i64 <= now;
    let names = |value: &Value| value.as_str().is_some_and(|value| query.contains(&format!(":'{value}'")));
    let found =
        world.ledger.intents.values().filter(|intent| seen(intent.created) && intent.metadata.values().any(names));
    let data: Vec<Value> = found.map(|intent| world.ledger.intent_view(intent, given)).collect();
    Ok(json!({ "object": "search_result", "data": data, "has_more": false, "url": "/v1/payment_intents/search" }))
}
