//! The OpenAPI document: what the types and the registry of verbs say, completed so that every tool can read it.
//!
//! [`finish`] adds what they do not say: ids, roles, errors, limits, examples. It is a pure function of the generated document.
//!
//! Our type aliases (`Millis`, `Titles`) appear in the generated document as components with the name of the Rust type behind
//! them, like `i64`. A reader expects `integer` there, so these components are inlined.

mod examples;
pub mod limits;
mod operations;

use std::collections::HashSet;

use serde_json::{Value, json};
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

pub struct BearerSecurity;

impl Modify for BearerSecurity {
    fn modify(&self, openapi: &mut OpenApi) {
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        if let Some(components) = &mut openapi.components {
            components.add_security_scheme("token", SecurityScheme::Http(token));
            let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("lsk_live_…");
            let key = key
                .description(Some("An API key of the shop. `x-scope` of an operation names the scope that it needs."));
            components.add_security_scheme("api_key", SecurityScheme::Http(key.build()));
        }
        let none: SecurityRequirement = Default::default();
        openapi.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new()), none]);
    }
}

/// Completes the generated document. `base_url` is the public address, if the operator has set it. `with_test_provider`: payments take
/// the names of its scenarios.
pub fn finish(mut document: Value, base_url: Option<&str>, with_test_provider: bool) -> Value {
    // First: a list that repeats its type would keep the parts of that type in use.
    name_lists(&mut document);
    let mut document = inline_primitive_schemas(document);
    name_bodies(&mut document);
    simplify_nullable(&mut document);
    operations::complete(&mut document);
    limits::apply(&mut document, with_test_provider);
    examples::add(&mut document);
    document["info"]["license"] = json!({ "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" });
    document["info"]["contact"] = json!({ "name": "The operator of this shop" });
    document["servers"] = json!([{ "url": base_url.unwrap_or("/"), "description": "This server" }]);
    // Each operation says it itself.
    if let Some(fields) = document.as_object_mut() {
        fields.remove("security");
    }
    document
}

/// The lists of a type (`List_Offer`) repeat the type; they refer to it instead, as `OfferList`.
fn name_lists(document: &mut Value) {
    let names: Vec<String> =
        document["components"]["schemas"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    for (list, item) in names.iter().filter_map(|name| Some((name, name.strip_prefix("List_")?))) {
        let Some(mut schema) = document["components"]["schemas"].as_object_mut().and_then(|all| all.remove(list))
        else {
            continue;
        };
        if names.iter().any(|name| name == item) {
            schema["properties"]["items"]["items"] = json!({ "$ref": format!("{SCHEMA_REF_PREFIX}{item}") });
        }
        let name = format!("{item}List");
        document["components"]["schemas"][&name] = schema;
        rename_refs(document, &format!("{SCHEMA_REF_PREFIX}{list}"), &format!("{SCHEMA_REF_PREFIX}{name}"));
    }
}

fn rename_refs(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Object(fields) => {
            if let Some(target) = fields.get_mut("$ref").filter(|target| *target == from) {
                *target = to.into();
            }
            fields.values_mut().for_each(|field| rename_refs(field, from, to));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_refs(item, from, to)),
        _ => {}
    }
}

/// The bodies of live verbs get names: `OrdersBuyRequest`. Generators name their types after them.
fn name_bodies(document: &mut Value) {
    let mut named = Vec::new();
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            let words = format!(
                "{}_{}_request",
                operation["tags"][0].as_str().unwrap_or_default(),
                operation["operationId"].as_str().unwrap_or_default()
            );
            let summary = operation["summary"].clone();
            let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema") else { continue };
            if schema["$ref"].is_null() && schema["properties"].is_object() {
                let name = pascal_case(&words);
                let mut body = std::mem::replace(schema, json!({ "$ref": format!("{SCHEMA_REF_PREFIX}{name}") }));
                body["description"] = summary;
                named.push((name, body));
            }
        }
    }
    for (name, body) in named {
        document["components"]["schemas"][name] = body;
    }
}

/// `orders_buy_request` as `OrdersBuyRequest`.
pub fn pascal_case(words: &str) -> String {
    let words = words.split('_').filter_map(|word| Some((word.get(..1)?, word.get(1..)?)));
    words.map(|(first, rest)| first.to_uppercase() + rest).collect()
}

/// `oneOf` a plain type and null is that type or null.
pub fn simplify_nullable(value: &mut Value) {
    let other = match value["oneOf"].as_array().map(Vec::as_slice) {
        Some([a, b]) if b["type"] == "null" => Some(a.clone()),
        Some([a, b]) if a["type"] == "null" => Some(b.clone()),
        _ => None,
    };
    if let (Some(fields), Some(mut other)) = (value.as_object_mut(), other.filter(|other| other["type"].is_string())) {
        other["type"] = json!([other["type"], "null"]);
        fields.remove("oneOf");
        for (key, part) in other.as_object().into_iter().flatten() {
            fields.entry(key).or_insert(part.clone());
        }
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(simplify_nullable),
        Value::Array(items) => items.iter_mut().for_each(simplify_nullable),
        _ => {}
    }
}

const SCHEMA_REF_PREFIX: &str = "#/components/schemas/";

/// Inlines the schemas of primitive Rust types where they are used.
pub fn inline_primitive_schemas(mut document: Value) -> Value {
    merge_flattened_schemas(&mut document);
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    let (plain, own): (serde_json::Map<_, _>, serde_json::Map<_, _>) = schemas
        .into_iter()
        .partition(|(name, _)| name.starts_with(|c: char| c.is_ascii_lowercase()) || name == "BTreeMap");
    document["components"]["schemas"] = Value::Object(own);
    inline_refs(&mut document, &plain);
    set_problem_media_type(&mut document);
    document
}

/// A type with a flattened field is described as `allOf` of two objects. One object says the same, and more tools understand it.
fn merge_flattened_schemas(document: &mut Value) {
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    let fields_of = |part: &Value| {
        let part = match part["$ref"].as_str().and_then(|target| target.strip_prefix(SCHEMA_REF_PREFIX)) {
            Some(name) => schemas.get(name)?,
            None => part,
        };
        part["properties"].is_object().then(|| part.clone())
    };
    for (name, schema) in &schemas {
        let Some(parts) =
            schema["allOf"].as_array().and_then(|parts| parts.iter().map(fields_of).collect::<Option<Vec<_>>>())
        else {
            continue;
        };
        let mut merged = serde_json::json!({ "type": "object", "properties": {} });
        if let Some(about) = schema.get("description") {
            merged["description"] = about.clone();
        }
        let mut required = Vec::new();
        // The own fields come last in `allOf`; readers expect them first.
        for part in parts.iter().rev() {
            for (field, schema) in part["properties"].as_object().into_iter().flatten() {
                merged["properties"][field] = schema.clone();
            }
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        merged["required"] = required.into();
        document["components"]["schemas"][name] = merged;
    }
    // The types that were only parts of others.
    let (mut flattened, mut referred) = (HashSet::new(), HashSet::new());
    schemas.values().for_each(|schema| collect_refs(&schema["allOf"], &mut flattened));
    collect_refs(document, &mut referred);
    let parts: Vec<String> = flattened.difference(&referred).map(|name| (*name).to_owned()).collect();
    if let Some(all) = document["components"]["schemas"].as_object_mut() {
        parts.iter().for_each(|name| drop(all.remove(name)));
    }
}

/// Collects the names of the schemas to which a part of the document refers.
fn collect_refs<'a>(value: &'a Value, names: &mut HashSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            let target = fields.get("$ref").and_then(Value::as_str);
            names.extend(target.and_then(|target| target.strip_prefix(SCHEMA_REF_PREFIX)));
            fields.values().for_each(|field| collect_refs(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_refs(item, names)),
        _ => {}
    }
}

/// Errors have their own media type. Without this, the document would say `application/json` for them.
fn set_problem_media_type(value: &mut Value) {
    let problem = format!("{SCHEMA_REF_PREFIX}Problem");
    if value["content"]["application/json"]["schema"]["$ref"] == problem.as_str() {
        let content = value["content"]["application/json"].take();
        value["content"] = serde_json::json!({ "application/problem+json": content });
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(set_problem_media_type),
        Value::Array(items) => items.iter_mut().for_each(set_problem_media_type),
        _ => {}
    }
}

fn inline_refs(value: &mut Value, plain: &serde_json::Map<String, Value>) {
    let target = value["$ref"]
        .as_str()
        .and_then(|target| target.strip_prefix(SCHEMA_REF_PREFIX))
        .and_then(|name| plain.get(name));
    if let Some(schema) = target {
        let about = value["description"].take();
        *value = schema.clone();
        if !about.is_null() {
            value["description"] = about;
        }
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|field| inline_refs(field, plain)),
        Value::Array(items) => items.iter_mut().for_each(|item| inline_refs(item, plain)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn problem_has_its_own_media_type() {
        let answer = |kind: &str, name: &str| json!({ "content": { kind: { "schema": { "$ref": format!("{SCHEMA_REF_PREFIX}{name}") } } } });
        let mut document =
            json!({ "200": answer("application/json", "Offer"), "default": answer("application/json", "Problem") });
        set_problem_media_type(&mut document);
        assert_eq!(document["200"], answer("application/json", "Offer"));
        assert_eq!(document["default"], answer("application/problem+json", "Problem"));
    }

    #[test]
    fn list_refers_to_the_type_of_its_items() {
        let list = json!({ "properties": { "items": { "type": "array", "items": { "type": "object" } } } });
        let to = |name: &str| json!({ "$ref": format!("{SCHEMA_REF_PREFIX}{name}") });
        let mut document =
            json!({ "paths": to("List_Offer"), "components": { "schemas": { "Offer": {}, "List_Offer": list } } });
        name_lists(&mut document);
        assert_eq!(document["paths"], to("OfferList"));
        assert_eq!(document["components"]["schemas"]["OfferList"]["properties"]["items"]["items"], to("Offer"));
        assert!(document["components"]["schemas"]["List_Offer"].is_null());
    }

    #[test]
    fn plain_type_or_null_is_one_type() {
        let mut schema =
            json!({ "description": "d", "oneOf": [{ "type": "integer", "format": "int64" }, { "type": "null" }] });
        simplify_nullable(&mut schema);
        assert_eq!(schema, json!({ "description": "d", "type": ["integer", "null"], "format": "int64" }));
        let mut reference = json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/x" }] });
        simplify_nullable(&mut reference);
        assert!(reference["oneOf"].is_array());
    }

    #[test]
    fn primitive_types_are_inlined() {
        let document = json!({
            "paths": { "/x": { "$ref": "#/components/schemas/Offer" } },
            "components": { "schemas": {
                "i64": { "type": "integer" },
                "Offer": { "properties": { "price": { "$ref": "#/components/schemas/i64" } } },
            } },
        });
        assert_eq!(
            inline_primitive_schemas(document),
            json!({
                "paths": { "/x": { "$ref": "#/components/schemas/Offer" } },
                "components": { "schemas": { "Offer": { "properties": { "price": { "type": "integer" } } } } },
            })
        );
    }
}
