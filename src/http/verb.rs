//! REST routes of the live verbs, and their part of the OpenAPI document. Both are derived from [`VERBS`].

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::AppState;
use super::error::ApiResult;
use super::extract::{Caller, JsonBody, PathId, QueryParams, idempotency_key};
use crate::domain::{Refusal, StreamId, UserId};
use crate::protocol::input_error;
use crate::verbs::{InputSource, Method, RestReply, RestRoute, VERBS, VerbContext, VerbEntry};

static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub fn routes() -> Router<AppState> {
    VERBS
        .iter()
        .filter_map(|entry| Some((entry, entry.rest?)))
        .fold(Router::new(), |router, (entry, route)| router.route(route.path, handler(entry, route)))
}

/// What answers for the verb with this name, for another path with the same parameters.
pub fn handler_of(name: &str) -> MethodRouter<AppState> {
    let mut named = VERBS.iter().filter(|entry| entry.name == name);
    let found = named.next().and_then(|entry| Some((entry, entry.rest?)));
    found.map_or_else(MethodRouter::new, |(entry, route)| handler(entry, route))
}

fn handler(entry: &'static VerbEntry, route: RestRoute) -> MethodRouter<AppState> {
    let method = match route.method {
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    };
    on(method, move |State(state): State<AppState>, request: Request| run(entry, route, state, request))
}

/// Collects the input of the verb from path, body or query, and header; runs it.
async fn run(entry: &'static VerbEntry, route: RestRoute, state: AppState, request: Request) -> ApiResult<Response> {
    let (mut parts, body) = request.into_parts();
    let Caller(actor) = Caller::from_request_parts(&mut parts, &state).await?;
    let PathId(mut path) = PathId::<BTreeMap<String, String>>::from_request_parts(&mut parts, &state).await?;
    // The ids come first: where the address is wrong, the rest of the request does not matter.
    check_ids(&path)?;
    let stream = path.remove("stream").map(|id| parse_stream(&id)).transpose()?;
    let key = if route.has_key { Some(idempotency_key(&parts.headers)?) } else { None };
    let InputFields(mut fields) = match route.input {
        InputSource::Query => QueryParams::from_request_parts(&mut parts, &state).await?.0,
        InputSource::Body => {
            let request = Request::from_parts(parts, body);
            <JsonBody<_> as FromRequest<_>>::from_request(request, &state).await?.0
        }
        InputSource::OptionalBody => {
            let request = Request::from_parts(parts, body);
            let body = <JsonBody<_> as OptionalFromRequest<_>>::from_request(request, &state).await?;
            body.map(|JsonBody(fields)| fields).unwrap_or_default()
        }
    };
    fields.extend(path.into_iter().map(|(name, value)| (name, Value::String(value))));
    fields.extend(key.map(|key| ("key".to_owned(), Value::from(key.as_str()))));
    let verb = entry.parse(fields)?;
    let context = VerbContext { app: &state.app, actor: &actor, stream, member: None };
    Ok(into_response(verb.run_over_rest(&context).await?))
}

/// The fields of a body or a query. A field that occurs twice is refused: the client and the server might read different values.
#[derive(Default)]
struct InputFields(Map<String, Value>);

impl<'de> Deserialize<'de> for InputFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = InputFields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<InputFields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    fields.insert(name, value);
                }
                Ok(InputFields(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Refuses an id in the path that cannot exist. All ids are UUIDs, except those of users.
fn check_ids(path: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for (name, id) in path {
        if name == "user" {
            UserId::parse(id)?;
        } else if id.parse::<Uuid>().is_err() {
            return Err(input_error::not_an_id(name.clone()));
        }
    }
    Ok(())
}

fn parse_stream(id: &str) -> Result<StreamId, Refusal> {
    serde_json::from_value(Value::from(id)).map_err(|_| input_error::not_an_id("stream"))
}

fn into_response(reply: RestReply) -> Response {
    let RestReply { status, body, location, is_replay } = reply;
    let has_body = body.is_some();
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(location) = location.and_then(|path| HeaderValue::from_str(&path).ok()) {
        headers.insert(header::LOCATION, location);
    }
    if is_replay {
        headers.insert(&IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Adds the operations of the verbs and the schemas that they need to an OpenAPI document.
pub fn describe(openapi: &mut Value) {
    let mut schemas = Vec::new();
    for (entry, route) in VERBS.iter().filter_map(|entry| Some((entry, entry.rest?))) {
        let method = match route.method {
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        };
        openapi["paths"][route.path][method] = operation(entry, route);
        entry.collect_schemas(&mut schemas);
    }
    for (name, schema) in schemas {
        openapi["components"]["schemas"][name] = serde_json::to_value(schema).unwrap_or_default();
    }
}

fn operation(entry: &VerbEntry, route: RestRoute) -> Value {
    let input = entry.input_schema();
    let mut fields = input["properties"].as_object().cloned().unwrap_or_default();
    let is_required = |name: &str| {
        input["required"].as_array().is_some_and(|required| required.iter().any(|required| required == name))
    };
    let mut parameters = Vec::new();
    for name in route.path_parameters() {
        let schema = fields.remove(name).unwrap_or_else(|| json!({ "$ref": "#/components/schemas/StreamId" }));
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    if route.has_key {
        fields.remove("key");
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": true,
            "description": "8 to 255 visible ASCII characters", "schema": { "type": "string" },
        }));
    }
    if route.input == InputSource::Query {
        for (name, schema) in std::mem::take(&mut fields) {
            let required = is_required(&name);
            parameters.push(json!({ "name": name, "in": "query", "required": required, "schema": schema }));
        }
    }
    let description = input["description"].as_str().unwrap_or_default().replace('\n', " ");
    let (summary, rest) = description.split_once(". ").unwrap_or((description.trim_end_matches('.'), ""));
    let mut operation = json!({
        "tags": [route.tag],
        "operationId": entry.name,
        "summary": format!("{summary}."),
        "x-least-role": entry.least_role,
        "parameters": parameters,
        "responses": responses(entry),
    });
    if !rest.is_empty() {
        operation["description"] = rest.into();
    }
    if route.input != InputSource::Query {
        let required: Vec<&String> = fields.keys().filter(|name| is_required(name)).collect();
        operation["requestBody"] = json!({
            "required": route.input == InputSource::Body,
            "content": { "application/json": {
                "schema": { "type": "object", "properties": fields, "required": required },
            } },
        });
    }
    operation
}

fn responses(entry: &VerbEntry) -> Value {
    let mut responses = json!({ "default": {
        "description": "",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    } });
    for (status, description, schema) in (entry.rest_responses)() {
        let mut response = json!({ "description": description });
        if let Some(schema) = schema {
            response["content"] = json!({ "application/json": { "schema": schema } });
        }
        responses[status.to_string()] = response;
    }
    responses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_field_is_refused() {
        let parse = |body: &str| serde_json::from_str::<InputFields>(body).map(|InputFields(fields)| fields.len());
        assert_eq!(parse(r#"{"qty":1,"key":{"qty":2}}"#).unwrap(), 2);
        assert!(parse(r#"{"qty":1,"qty":2}"#).unwrap_err().to_string().contains("duplicate field `qty`"));
        assert!(parse("[]").is_err() && parse("1").is_err());
    }

    #[test]
    fn an_operation_takes_each_field_from_one_place() {
        let mut openapi = json!({});
        describe(&mut openapi);
        let mute = &openapi["paths"]["/v1/streams/{stream}/mutes/{user}"];
        let names = |operation: &Value| -> Vec<String> {
            let parameters = operation["parameters"].as_array().unwrap();
            parameters.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&mute["put"]), ["stream", "user"]);
        let body = &mute["put"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["seconds"]));
        assert!(body["properties"]["reason"].is_object() && body["properties"]["user"].is_null());
        assert_eq!(names(&mute["delete"]), ["stream", "user", "reason"]);
        assert_eq!(names(&openapi["paths"]["/v1/offers/{offer}/orders"]["post"]), ["offer", "Idempotency-Key"]);
        assert!(openapi["components"]["schemas"]["Order"].is_object(), "{}", openapi["components"]["schemas"]);
    }
}
