//! Examples in the OpenAPI document, made from the schemas, so that they are valid by themselves.

use serde_json::{Map, Value, json};

const ID: &str = "0190a0a0-0000-7000-8000-000000000001";
const TIME: i64 = 1_760_000_000_000;
/// Schemas may contain each other; an example stops here.
const DEPTH_MAX: usize = 8;

/// Adds an example to every JSON body that has none.
pub fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            let Some(operation) = operation.as_object_mut() else { continue };
            if let Some(body) = operation.get_mut("requestBody") {
                add_to(body, &schemas);
            }
            for (_, answer) in operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten() {
                add_to(answer, &schemas);
            }
        }
    }
}

fn add_to(body: &mut Value, schemas: &Map<String, Value>) {
    let Some(json) = body.get_mut("content").and_then(|content| content.get_mut("application/json")) else { return };
    if json.get("example").is_none() {
        json["example"] = example("", &json["schema"], schemas, 0);
    }
}

/// A value that the schema allows. A field without which the value is valid is left out when it may be null.
fn example(field: &str, schema: &Value, schemas: &Map<String, Value>, depth: usize) -> Value {
    if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)) {
        return example.clone();
    }
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or_default();
        return schemas.get(name).map_or(Value::Null, |schema| example(field, schema, schemas, depth));
    }
    if let Some(constant) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return constant.clone();
    }
    if let Some(part) = schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0)) {
        let parts = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
        let part = parts.into_iter().flatten().find(|part| part["type"] != "null").unwrap_or(part);
        return example(field, part, schemas, depth);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut merged = Map::new();
        for part in parts {
            if let Value::Object(fields) = example(field, part, schemas, depth) {
                merged.extend(fields);
            }
        }
        return merged.into();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
    match kind {
        "string" => text(field, schema),
        "integer" | "number" => number(field, schema),
        "boolean" => json!(false),
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(0).max(1);
            let item = example(field, &schema["items"], schemas, depth + 1);
            (0..count).map(|_| item.clone()).collect()
        }
        _ => object(schema, schemas, depth),
    }
}

fn object(schema: &Value, schemas: &Map<String, Value>, depth: usize) -> Value {
    let mut out = Map::new();
    if schema["additionalProperties"].is_object() && schema["properties"].is_null() {
        return out.into();
    }
    for (name, schema_of_field) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = schema["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name));
        if is_required || depth < 1 && is_shown(name) {
            if depth > DEPTH_MAX {
                continue;
            }
            out.insert(name.clone(), example(name, schema_of_field, schemas, depth + 1));
        }
    }
    out.into()
}

/// Optional fields that make an example easier to read.
fn is_shown(field: &str) -> bool {
    ["reason", "scheduled_at", "category", "per_buyer", "image", "slow_s"].contains(&field)
}

fn text(field: &str, schema: &Value) -> Value {
    if schema["format"] == "uuid" {
        return ID.into();
    }
    let text = match field {
        "title" => "Evening show",
        "name" => "Ann",
        "text" => "Is it real leather?",
        "country" => "SA",
        "city" => "Riyadh",
        "secret" => "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "email" | "from" => "ann@example.com",
        "first" => "2030-01-15T20:00",
        "lines" => "12 King Fahd Road",
        "phone" => "+966 50 000 0000",
        "currency" => "SAR",
        "category" => "Bags",
        "image" | "video" | "whep" | "replay" | "poster" | "address" => "https://shop.example/bag.jpg",
        "reason" => "Asked by the buyer",
        "word" => "spam",
        "code" if schema["pattern"] == "^[0-9]{6}$" => "123456",
        "code" => "sold_out",
        "type" => "/docs/errors/sold_out",
        _ => "example",
    };
    text.into()
}

fn number(field: &str, schema: &Value) -> Value {
    let (low, high) = (schema["minimum"].as_i64().unwrap_or(0), schema["maximum"].as_i64().unwrap_or(i64::MAX));
    let wanted = match field {
        "price" | "amount" => 14_900,
        "old_price" => 19_900,
        "hold_s" | "duration_s" => 300,
        "quantity" | "stock" | "left" => 100,
        _ if (TIME..1_000_000_000_000_000).contains(&high) => TIME,
        _ => 10,
    };
    wanted.clamp(low, high).into()
}
