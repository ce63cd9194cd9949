//! Corrections to the OpenAPI document that is generated from the types: the bearer token, and plain types instead of named ones.
//!
//! Our type aliases (`Millis`, `Titles`) appear in the generated document as components with the name of the Rust type behind
//! them, like `i64`. A reader expects `integer` there, so these components are inlined.

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use crate::domain::ErrorCode;

pub struct BearerSecurity;

impl Modify for BearerSecurity {
    fn modify(&self, openapi: &mut OpenApi) {
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        if let Some(components) = &mut openapi.components {
            components.add_security_scheme("token", SecurityScheme::Http(token));
        }
        let none: SecurityRequirement = Default::default();
        openapi.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new()), none]);
    }
}

const SCHEMA_REF_PREFIX: &str = "#/components/schemas/";

/// Inlines the schemas of primitive Rust types where they are used.
pub fn inline_primitive_schemas(mut document: Value) -> Value {
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    let (plain, own): (serde_json::Map<_, _>, serde_json::Map<_, _>) = schemas
        .into_iter()
        .partition(|(name, _)| name.starts_with(|c: char| c.is_ascii_lowercase()) || name == "BTreeMap");
    document["components"]["schemas"] = Value::Object(own);
    if let Some(code) = document.pointer_mut("/components/schemas/Problem/properties/code") {
        code["enum"] = ErrorCode::all().map(|error| error.code).collect();
    }
    inline_refs(&mut document, &plain);
    set_problem_media_type(&mut document);
    document
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
