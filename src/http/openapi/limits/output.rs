//! Bounds of what the server sends, and of fields of clients that have no limit of their own.

use serde_json::{Map, Value, json};

use super::shapes::{VISIBLE_ASCII, range, visible_pattern};
use crate::domain::blocklist::Blocklist;
use crate::domain::bulk_edit::BULK_ROWS_MAX;
use crate::domain::country;
use crate::domain::coupon::PRODUCTS_MAX;
use crate::domain::order::LINES_PER_ORDER_MAX;
use crate::domain::picture::GALLERY_MAX;
use crate::domain::policy::{POLICY_LENGTH_MAX, PolicyKind};
use crate::domain::product;
use crate::domain::stream_change;
use crate::domain::{ApiScope, ErrorCode, Language, UserId};

/// Numbers in JSON are exact up to here in every language.
pub const SAFE_INTEGER: i64 = (1 << 53) - 1;
/// 31 December 9999: no time that the server sends is later.
pub const TIME_MAX: i64 = 253_402_300_799_999;
/// No text that the server sends is longer, except files and tokens.
pub const TEXT_MAX: usize = 4_000;
pub const TOKEN_MAX: usize = 8_192;
/// No description is longer as HTML: a sign becomes at most six, and the rest are tags.
const HTML_MAX: usize = 400_000;
/// No list that the server sends without pages is longer.
pub const LIST_MAX: usize = 10_000;

pub fn text_default(owner: &str, field: &str, node: &Map<String, Value>) -> Value {
    if node.contains_key("enum") || node.contains_key("const") {
        return json!({});
    }
    if node.get("format").is_some_and(|format| format == "uuid") {
        return json!({ "minLength": 36, "maxLength": 36 });
    }
    match (owner, field) {
        ("", "file") => json!({}),
        ("Problem" | "ReplyError", "code") => {
            json!({ "enum": ErrorCode::all().map(|error| error.code).collect::<Vec<_>>() })
        }
        ("UserId", _) => json!({ "minLength": 1, "maxLength": UserId::LENGTH_MAX, "pattern": VISIBLE_ASCII }),
        (_, "currency") => json!({ "minLength": 3, "maxLength": 3, "pattern": "^[A-Z]{3}$" }),
        (_, "token") => json!({ "maxLength": TOKEN_MAX }),
        (_, "description") => json!({ "maxLength": product::DESCRIPTION_LENGTH_MAX }),
        (_, "description_html") => json!({ "maxLength": HTML_MAX }),
        _ => json!({ "maxLength": TEXT_MAX }),
    }
}

pub fn number_default(field: &str) -> Value {
    let is_time = field.ends_with("_at") || field.ends_with("until") || ["at", "now", "from", "since"].contains(&field);
    match field {
        _ if is_time => range((0, TIME_MAX)),
        "status" => range((400, 599)),
        "v" | "position" | "adjustment" => range((-SAFE_INTEGER, SAFE_INTEGER)),
        _ => range((0, SAFE_INTEGER)),
    }
}

pub fn list_default(owner: &str, field: &str) -> Value {
    let (least, most) = match (owner, field) {
        ("Address", "lines") => (1, 3),
        ("Market" | "MarketForm", "countries") => (0, country::CODES.len()),
        ("NewProductRequest" | "ChangeProductRequest", "variants") => (1, product::VARIANTS_MAX),
        ("BulkEditRequest", "products") => (1, BULK_ROWS_MAX),
        ("ProductEditRequest", "variants") => (0, BULK_ROWS_MAX),
        ("ProductOptionRequest", "values") => (1, product::OPTION_VALUES_MAX),
        (_, "options") => (0, product::OPTIONS_MAX),
        ("GalleryRequest", "pictures") => (0, GALLERY_MAX),
        ("OpenOrderRequest", "reservations") => (1, LINES_PER_ORDER_MAX),
        ("OrdersRefundPartRequest", "lines") => (0, LINES_PER_ORDER_MAX),
        ("NewStreamRequest" | "ChangeStreamRequest", "tags") => (0, stream_change::TAGS_MAX),
        ("NewCouponRequest", "products") => (0, PRODUCTS_MAX),
        ("NewApiKeyRequest", "scopes") => (1, ApiScope::ALL.len()),
        ("BlocklistBody", "words") => (0, Blocklist::WORDS_MAX),
        (_, "v") => (2, 2),
        _ => (0, LIST_MAX),
    };
    json!({ "minItems": least, "maxItems": most })
}

pub fn map_default(field: &str) -> Value {
    match field {
        "titles" | "names" | "variant_names" => json!({
            "maxProperties": 20,
            "additionalProperties": { "type": "string", "minLength": 1, "maxLength": 120, "pattern": visible_pattern() },
        }),
        "policies" => json!({
            "maxProperties": PolicyKind::ALL.len(),
            "propertyNames": { "enum": PolicyKind::ALL.map(PolicyKind::name) },
            "additionalProperties": {
                "type": "object",
                "maxProperties": Language::ALL.len(),
                "propertyNames": { "enum": Language::ALL.map(Language::tag) },
                "additionalProperties": { "type": "string", "maxLength": POLICY_LENGTH_MAX },
            },
        }),
        "descriptions" => texts_by_language(product::DESCRIPTION_LENGTH_MAX),
        "deliveries" => texts_by_language(product::DELIVERY_LENGTH_MAX),
        "descriptions_html" => texts_by_language(HTML_MAX),
        _ => json!({ "maxProperties": LIST_MAX }),
    }
}

fn texts_by_language(length_max: usize) -> Value {
    json!({ "maxProperties": 20, "additionalProperties": { "type": "string", "maxLength": length_max } })
}
