//! Request bodies and queries: `a[b]=c` and `a[]=x`, as nested values whose leaves are text.

use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::error::ApiError;

/// The parameters of a request.
#[derive(Clone, Default, Debug)]
pub struct Parameters(pub Map<String, Value>);

impl Parameters {
    pub fn parse(encoded: &[u8]) -> Self {
        let mut root = Value::Object(Map::new());
        for (name, value) in form_urlencoded::parse(encoded) {
            let path: Vec<&str> = name.split('[').map(|part| part.trim_end_matches(']')).collect();
            insert(&mut root, &path, value.into_owned());
        }
        let Value::Object(map) = root else { return Self::default() };
        Self(map)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name)
            .ok_or_else(|| ApiError::invalid("parameter_missing", format!("Missing required param: {name}.")))
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let wrong = |_| ApiError::invalid("parameter_invalid_integer", format!("Invalid integer: {name}"));
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    pub fn object(&self, name: &str) -> Map<String, Value> {
        self.0.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// Does `expand` name this field, of the object itself or of the entries of a list?
    pub fn expands(&self, field: &str) -> bool {
        let listed = self.0.get("expand").and_then(Value::as_array);
        let is_named = |name: &Value| name.as_str().is_some_and(|name| name.trim_start_matches("data.") == field);
        listed.is_some_and(|names| names.iter().any(is_named))
    }

    /// The names of all parameters, nested ones as `a[b]`; a list is its own name.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, value) in &self.0 {
            collect_names(name, value, &mut names);
        }
        names
    }
}

fn collect_names(prefix: &str, value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, inner) in map {
                collect_names(&format!("{prefix}[{name}]"), inner, names);
            }
        }
        _ => names.push(prefix.to_owned()),
    }
}

fn insert(into: &mut Value, path: &[&str], value: String) {
    let Some((first, rest)) = path.split_first() else {
        *into = Value::String(value);
        return;
    };
    let index =
        if first.is_empty() { Some(None) } else { first.parse::<usize>().ok().filter(|at| *at < 100).map(Some) };
    match index {
        // `a[]=x` appends; `a[0]=x` names the place.
        Some(at) => {
            if !into.is_array() {
                *into = Value::Array(Vec::new());
            }
            if let Value::Array(list) = into {
                let at = at.unwrap_or(list.len());
                list.resize(list.len().max(at + 1), Value::Null);
                insert(&mut list[at], rest, value);
            }
        }
        None => {
            if !into.is_object() {
                *into = Value::Object(Map::new());
            }
            if let Value::Object(map) = into {
                insert(map.entry(*first).or_insert(Value::Null), rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_names_and_lists_are_read() {
        let read = Parameters::parse(b"amount=5&metadata[order]=a%20b&expand[]=x&expand[]=data.y&types[0]=card");
        let expected =
            json!({ "amount": "5", "metadata": { "order": "a b" }, "expand": ["x", "data.y"], "types": ["card"] });
        assert_eq!(Value::Object(read.0.clone()), expected);
        assert!(read.expands("x") && read.expands("y") && !read.expands("z"));
        let mut names = read.names();
        names.sort();
        assert_eq!(names, ["amount", "expand", "metadata[order]", "types"]);
    }
}
