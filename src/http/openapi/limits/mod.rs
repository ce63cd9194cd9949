//! Limits in the API documents: the length of texts, the range of numbers, the size of lists. What clients send gets the limits of
//! the validation, from the same constants; what the server sends gets bounds that always hold.

mod field;
mod input;
mod output;
mod shapes;

use serde_json::Value;

use input::{input_rule, is_input};
use output::{list_default, map_default, number_default, text_default};

/// Adds the limits to every schema of a document. Defaults are in the descriptions only: with the keyword, generators require the field. `with_test_provider`: payments take the names of its scenarios.
pub fn apply(document: &mut Value, with_test_provider: bool) {
    for (owner, schema) in fields_mut(&mut document["components"], "schemas") {
        apply_to(owner, schema, with_test_provider);
    }
    let limiter = Limiter { with_test_provider };
    for (_, item) in fields_mut(document, "paths") {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                limiter.limit("ParametersRequest", &name, &mut parameter["schema"]);
            }
            for (_, response) in fields_mut(operation, "responses") {
                for schema in fields_mut(response, "content").filter_map(|(_, content)| content.get_mut("schema")) {
                    limiter.limit("", "file", schema);
                }
            }
        }
    }
}

/// Adds the limits to one schema. `owner` is its name.
pub fn apply_to(owner: &str, schema: &mut Value, with_test_provider: bool) {
    Limiter { with_test_provider }.limit(owner, "", schema);
}

/// The fields of an object in an object, if there is one.
fn fields_mut<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    value.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten()
}

struct Limiter {
    with_test_provider: bool,
}

impl Limiter {
    fn limit(&self, owner: &str, field: &str, schema: &mut Value) {
        let Some(node) = schema.as_object_mut() else { return };
        if node.contains_key("$ref") {
            return;
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            for part in node.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                self.limit(owner, field, part);
            }
        }
        for (name, part) in node.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
            self.limit(owner, name, part);
        }
        if let Some(items) = node.get_mut("items") {
            self.limit(owner, field, items);
        }
        let rule = if is_input(owner) { input_rule(owner, field, self.with_test_provider) } else { None };
        let has = |kind: &str| match node.get("type") {
            Some(Value::String(one)) => one == kind,
            Some(Value::Array(several)) => several.iter().any(|one| one == kind),
            _ => false,
        };
        let defaults = if has("string") {
            rule.unwrap_or_else(|| text_default(owner, field, node))
        } else if has("integer") {
            rule.unwrap_or_else(|| number_default(field))
        } else if has("array") {
            list_default(owner, field)
        } else if has("object") && node.get("additionalProperties").is_some_and(Value::is_object) {
            map_default(field)
        } else {
            return;
        };
        let Value::Object(mut defaults) = defaults else { return };
        let is_nullable = has("null");
        if let Some(choices) = defaults.get_mut("enum").and_then(Value::as_array_mut).filter(|_| is_nullable) {
            choices.push(Value::Null);
        }
        for (key, value) in defaults {
            if ["additionalProperties", "propertyNames"].contains(&key.as_str()) {
                node.insert(key, value);
            } else {
                node.entry(key).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::output::{LIST_MAX, TEXT_MAX, TIME_MAX};
    use super::*;

    #[test]
    fn field_has_the_limit_of_its_validation_and_keeps_what_it_says_itself() {
        let mut schema = json!({ "type": "object", "properties": {
            "qty": { "type": "integer" },
            "reason": { "type": ["string", "null"] },
            "role": { "type": ["string", "null"], "maxLength": 3 },
        } });
        apply_to("InviteRequest", &mut schema, false);
        assert_eq!(schema["properties"]["qty"], json!({ "type": "integer", "minimum": 1, "maximum": 1_000 }));
        assert_eq!(schema["properties"]["reason"]["maxLength"], 200);
        let role = &schema["properties"]["role"];
        assert_eq!(
            (&role["maxLength"], &role["enum"]),
            (&json!(3), &json!(["moderator", "producer", "analyst", null]))
        );
    }

    #[test]
    fn what_the_server_sends_has_bounds() {
        let mut schema = json!({ "type": "object", "properties": {
            "now": { "type": "integer" },
            "title": { "type": "string" },
            "items": { "type": "array", "items": { "type": "string", "format": "uuid" } },
        } });
        apply_to("Offer", &mut schema, false);
        assert_eq!(schema["properties"]["now"]["maximum"], TIME_MAX);
        assert_eq!(schema["properties"]["title"], json!({ "type": "string", "maxLength": TEXT_MAX }));
        let items = &schema["properties"]["items"];
        assert_eq!((&items["maxItems"], &items["items"]["maxLength"]), (&json!(LIST_MAX), &json!(36)));
    }
}
