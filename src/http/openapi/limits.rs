//! Limits in the API documents: the length of texts, the range of numbers, the size of lists. What clients send gets the limits of
//! the validation, from the same constants; what the server sends gets bounds that always hold.

use serde_json::{Map, Value, json};

use crate::domain::audit::REASON_LENGTH_MAX;
use crate::domain::blocklist::Blocklist;
use crate::domain::bulk_edit::{BULK_ROWS_MAX, SCAN_LENGTH_MAX};
use crate::domain::catalogue_file::FILE_BYTES_MAX;
use crate::domain::catalogue_import::FILE_NAME_LENGTH_MAX;
use crate::domain::chat::ChatText;
use crate::domain::country;
use crate::domain::coupon::{CODE_TEXT_MAX, PRODUCTS_MAX};
use crate::domain::dispute::DISPUTE_REFERENCE_MAX;
use crate::domain::limits::{self, Limit};
use crate::domain::mail_settings::LOGIN_LENGTH_MAX;
use crate::domain::manual_payment::{DAYS_MAX, OPEN_ORDERS_MAX};
use crate::domain::oidc::OIDC_CODE_MAX;
use crate::domain::order::LINES_PER_ORDER_MAX;
use crate::domain::passkey::PASSKEY_NAME_MAX;
use crate::domain::picture::{ALT_LENGTH_MAX, FOCUS, GALLERY_MAX, PICTURE_BYTES_MAX};
use crate::domain::policy::{POLICY_LENGTH_MAX, PolicyKind};
use crate::domain::product;
use crate::domain::retention::RETENTION_DAYS_MAX;
use crate::domain::saved_view::QUERY_LENGTH_MAX;
use crate::domain::shop_settings::{SELLER_LINE_MAX, TAX_BP_MAX, VAT_NUMBER_MAX};
use crate::domain::staff::STAFF_ROLES;
use crate::domain::stream_change;
use crate::domain::stripe_keys::STRIPE_KEY_BYTES_MAX;
use crate::domain::test_provider::TestScenario;
use crate::domain::{ApiScope, AuditAction, EmailAddress, ErrorCode, Language, Name, Role, StreamStatus, UserId};

/// Numbers in JSON are exact up to here in every language.
const SAFE_INTEGER: i64 = (1 << 53) - 1;
/// 31 December 9999: no time that the server sends is later.
const TIME_MAX: i64 = 253_402_300_799_999;
/// No text that the server sends is longer, except files and tokens.
const TEXT_MAX: usize = 4_000;
const TOKEN_MAX: usize = 8_192;
/// No description is longer as HTML: a sign becomes at most six, and the rest are tags.
const HTML_MAX: usize = 400_000;
/// No list that the server sends without pages is longer.
const LIST_MAX: usize = 10_000;

/// The characters of which a text that a person types needs at least one: what is left of the first 65,536 without spaces, controls and
/// characters that show nothing. Later ones (emoji) do not count here, because not every engine of regular expressions can name them.
const VISIBLE: [(u16, u16); 20] = [
    (0x0021, 0x007e),
    (0x00a1, 0x00ac),
    (0x00ae, 0x034e),
    (0x0350, 0x061b),
    (0x061d, 0x115e),
    (0x1161, 0x167f),
    (0x1681, 0x17b3),
    (0x17b6, 0x180a),
    (0x1810, 0x1fff),
    (0x2010, 0x2027),
    (0x2030, 0x205e),
    (0x2070, 0x27ff),
    (0x2801, 0x2fff),
    (0x3001, 0x3163),
    (0x3165, 0xd7fe),
    (0xe000, 0xfdcf),
    (0xfdf0, 0xfdff),
    (0xfe10, 0xfefe),
    (0xff00, 0xff9f),
    (0xffa1, 0xffee),
];
const URL: &str = "^(https?://[!-~]*|/([!-.0-~][!-~]*)?)$";
const PICTURE_URL: &str = "^(https://[!-~]*|/([!-.0-~][!-~]*)?)$";
const PHONE: &str = "^[+(). -]*([0-9][+(). -]*){5,20}$";
/// Stricter than the validation, which also accepts the rarer signs before the `@`.
const EMAIL: &str = r"^[A-Za-z0-9_-]+@[A-Za-z0-9]+(\.[A-Za-z]+)+$";
const VISIBLE_ASCII: &str = "^[!-~]+$";
/// The quotes around a key are not part of it.
const IDEMPOTENCY_KEY: &str = "^[!#-~][!-~]{6,253}[!#-~]$";

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

/// What clients send under a name that does not say so.
const INPUTS: [&str; 8] = [
    "Address",
    "BlockedWord",
    "BlocklistBody",
    "Consignment",
    "MarketForm",
    "OrderNoteForm",
    "ParcelForm",
    "TestPaymentApproval",
];

/// Is this a schema of what clients send?
fn is_input(owner: &str) -> bool {
    owner.ends_with("Request") || INPUTS.contains(&owner)
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
        let rule = if is_input(owner) { self.input_rule(owner, field) } else { None };
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

    /// The limit of a field that clients send, as the validation has it.
    fn input_rule(&self, owner: &str, field: &str) -> Option<Value> {
        Some(match (owner, field) {
            ("Address", "name" | "city" | "region") => visible(80),
            ("Address", "lines") => visible(120),
            ("Address", "postcode") => visible(16),
            (_, "country") => json!({ "minLength": 2, "maxLength": 2, "pattern": "^[A-Za-z]{2}$" }),
            ("MarketForm", "countries") => json!({ "enum": country::CODES }),
            (_, "phone") => json!({ "minLength": 5, "maxLength": 40, "pattern": PHONE }),
            ("NewVariantRequest" | "ChangeVariantRequest", "name") | (_, "title" | "sku") => visible(120),
            ("ProductOptionRequest", "name" | "values") | ("NewVariantRequest" | "ChangeVariantRequest", "options") => {
                visible(product::OPTION_LENGTH_MAX)
            }
            ("StreamSeriesRequest", "count") => range(limits::SERIES),
            (_, "first") => {
                json!({ "minLength": 16, "maxLength": 16, "pattern": "^20[2-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]$" })
            }
            (_, "tags") => visible(stream_change::TAG_LENGTH_MAX),
            (_, "barcode") => {
                json!({ "minLength": 1, "maxLength": product::BARCODE_LENGTH_MAX, "pattern": VISIBLE_ASCII })
            }
            (_, "description") => json!({ "maxLength": product::DESCRIPTION_LENGTH_MAX }),
            (_, "delivery") => json!({ "maxLength": product::DELIVERY_LENGTH_MAX }),
            (_, "scan") => visible(SCAN_LENGTH_MAX),
            ("StockEditRequest", _) => range(limits::STOCK),
            (_, "search") => json!({ "maxLength": product::SEARCH_LENGTH_MAX }),
            (_, "note") => visible(REASON_LENGTH_MAX),
            ("CloseDisputeRequest", "reference") => {
                json!({ "minLength": 1, "maxLength": DISPUTE_REFERENCE_MAX, "pattern": VISIBLE_ASCII, "example": "du_1MtJUT2eZvKYlo2C" })
            }
            (_, "view") => visible(40),
            (_, "tag") => visible(30),
            (_, "legal_name") => line_or_nothing(SELLER_LINE_MAX),
            (_, "legal_address") => visible(SELLER_LINE_MAX),
            (_, "vat_number") => line_or_nothing(VAT_NUMBER_MAX),
            (_, "carrier") => line_or_nothing(60),
            (_, "tracking") => line_or_nothing(80),
            ("OrderNoteForm", "text") => visible(1_000),
            (_, "cost") => range(limits::PRICE),
            (_, "weight_g") => range(limits::WEIGHT_G),
            (_, "version") => range((1, SAFE_INTEGER)),
            // Except 0.
            ("StockChangeRequest", "units") => range(limits::STOCK_CHANGE),
            ("NewCouponRequest", "code") | ("ChangeOrderRequest", "coupon") => visible(CODE_TEXT_MAX),
            ("NewCouponRequest", "amount") => range(limits::COUPON_AMOUNT),
            (_, "percent_bp") => range(limits::PERCENT_BP),
            (_, "starts_at" | "ends_at") => range(limits::SCHEDULED_AT),
            (_, "quota" | "per_person") => range(limits::COUPON_USES),
            (_, "minimum") => range(limits::PRICE),
            ("NewPasskeyRequest", "name") => visible(PASSKEY_NAME_MAX),
            (_, "name") => visible(Name::LENGTH_MAX),
            (_, "category") => visible(40),
            (_, "image" | "poster") | ("ProductPictureRequest", "address") => {
                json!({ "minLength": 1, "maxLength": 2_000, "pattern": PICTURE_URL })
            }
            ("MediaMtxRequest" | "OvenMediaCallRequest", _) => json!({ "maxLength": 4_000 }),
            (_, "video" | "whep" | "replay") => json!({ "minLength": 1, "maxLength": 2_000, "pattern": URL }),
            ("PictureFileRequest", _) => json!({ "minLength": 1, "maxLength": PICTURE_BYTES_MAX }),
            (_, "address") => json!({ "minLength": 1, "maxLength": 2_000, "pattern": URL }),
            (_, "alt") => visible(ALT_LENGTH_MAX),
            ("PictureFocusRequest", _) => range(FOCUS),
            (_, "word") => visible(Blocklist::LENGTH_MAX),
            ("ChatAnnounceRequest", "text") => {
                json!({ "maxLength": ChatText::LENGTH_MAX, "pattern": format!("^$|{}", visible_pattern()) })
            }
            ("CustomerNoteRequest", "text") => visible(1_000),
            (_, "text") => visible(ChatText::LENGTH_MAX),
            // 500 bytes, and a character has at most four.
            ("OrdersRefundRequest" | "OrdersRefundPartRequest", "reason") => visible(125),
            ("OrdersRefundPartRequest", "amount") => range((0, SAFE_INTEGER)),
            (_, "reason") => visible(REASON_LENGTH_MAX),
            ("NewPasskeyRequest" | "UsePasskeyRequest", _) => {
                json!({ "minLength": 2, "maxLength": 5_462, "pattern": "^[A-Za-z0-9_-]+$" })
            }
            ("MailServerRequest", "host") => {
                json!({ "minLength": 1, "maxLength": 253, "pattern": "^[A-Za-z0-9.-]+$" })
            }
            ("MailServerRequest", "port") => range((1, 65_535)),
            ("MailServerRequest", "user" | "password") => {
                json!({ "minLength": 1, "maxLength": LOGIN_LENGTH_MAX, "pattern": VISIBLE_ASCII })
            }
            ("MailServerRequest", "from") => {
                json!({ "minLength": 5, "maxLength": EmailAddress::LENGTH_MAX, "pattern": EMAIL })
            }
            ("StripeKeysRequest", name) => stripe_key(name)?,
            (_, "user" | "buyer" | "by_user") => {
                json!({ "minLength": 1, "maxLength": UserId::LENGTH_MAX, "pattern": VISIBLE_ASCII })
            }
            (_, "Idempotency-Key" | "key") => json!({ "minLength": 8, "maxLength": 255, "pattern": IDEMPOTENCY_KEY }),
            ("OrdersPayRequest", "token") if self.with_test_provider => {
                json!({ "enum": TestScenario::ALL.map(TestScenario::name) })
            }
            (_, "quote_version") => json!({ "minLength": 1, "maxLength": 64, "pattern": VISIBLE_ASCII }),
            (_, "token") => json!({ "minLength": 1, "maxLength": TOKEN_MAX }),
            ("InviteRequest", "role") => json!({ "enum": roles(Role::can_be_invited) }),
            ("StaffInviteRequest" | "SetStaffRoleRequest", "role") => json!({ "enum": STAFF_ROLES.map(Role::name) }),
            ("DevTokenRequest", "role") => json!({ "enum": roles(|_| true) }),
            (_, "status") => json!({ "enum": StreamStatus::ALL.map(StreamStatus::name) }),
            (_, "audit_file") => json!({ "enum": ["audit-log.csv", "audit-log.jsonl"] }),
            ("", "kind") => json!({ "enum": AuditAction::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>() }),
            (_, "orders_file") => json!({ "enum": ["orders.csv", "orders.jsonl"] }),
            (_, "first_day" | "last_day") => json!({ "format": "date", "minLength": 10, "maxLength": 10 }),
            (_, "documents_file") => json!({ "enum": ["documents.csv", "documents.jsonl"] }),
            (_, "catalogue_file") => json!({ "enum": ["products.csv", "products-shopify.csv"] }),
            (_, "file_name") => visible(FILE_NAME_LENGTH_MAX),
            (_, "encoding") => json!({ "enum": ["utf-8", "utf-16le", "utf-16be", "windows-1256", "windows-1252"] }),
            ("ImportFileRequest", _) => json!({ "minLength": 1, "maxLength": FILE_BYTES_MAX }),
            (_, "file") => json!({ "enum": ["chat.csv", "chat.jsonl", "audit-log.csv", "audit-log.jsonl"] }),
            (_, "provider") => json!({ "enum": ["test"] }),
            (_, "after") => json!({ "format": "uuid", "minLength": 36, "maxLength": 36 }),
            (_, "language") => json!({ "enum": ["en", "ar", "id"] }),
            (_, "currency") => json!({ "minLength": 3, "maxLength": 3, "pattern": "^[A-Z]{3}$" }),
            (_, "time_zone") => {
                json!({ "minLength": 3, "maxLength": 40, "pattern": "^(UTC|[A-Za-z]+/[A-Za-z_]+(/[A-Za-z_]+)?)$" })
            }
            (_, "tax_bp") => range((0, TAX_BP_MAX)),
            ("ManualPaymentsForm", "cash_days" | "transfer_days") => range((1, DAYS_MAX)),
            ("RetentionForm", "address_days" | "chat_days" | "mail_days") => range((0, RETENTION_DAYS_MAX)),
            ("ManualPaymentsForm", "open_orders_max") => range((1, OPEN_ORDERS_MAX)),
            (_, "hours") => range(limits::ROTATION_H),
            (_, "scopes") => json!({ "enum": ApiScope::ALL.iter().map(|scope| scope.name()).collect::<Vec<_>>() }),
            (_, "query") => json!({ "maxLength": QUERY_LENGTH_MAX, "pattern": "^[!-~]*$" }),
            (_, "lang") => json!({ "minLength": 2, "maxLength": 16, "pattern": "^[A-Za-z0-9-]+$" }),
            ("FinishOidcRequest", "code") => {
                json!({ "minLength": 1, "maxLength": OIDC_CODE_MAX, "pattern": VISIBLE_ASCII })
            }
            ("FinishOidcRequest", "state") => json!({ "minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$",
                "example": "c0ffee00".repeat(8) }),
            (_, "iss") => json!({ "minLength": 1, "maxLength": 2_000, "pattern": URL }),
            ("VerifyEmailCodeRequest", "code") => json!({ "minLength": 6, "maxLength": 6, "pattern": "^[0-9]{6}$" }),
            (_, "secret") => json!({ "minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$" }),
            (_, "email") => {
                json!({ "minLength": 5, "maxLength": EmailAddress::LENGTH_MAX, "pattern": EMAIL })
            }
            (_, "code" | "payment") => json!({ "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9_-]+$" }),
            (_, "price" | "old_price" | "delivery_fee" | "delivery_free_from") => range(limits::PRICE),
            (_, "stock") => range(limits::STOCK),
            ("RefundLineRequest", "quantity") => range(limits::QTY),
            (_, "quantity") => range(limits::QUANTITY),
            (_, "per_buyer") => range(limits::PER_BUYER),
            (_, "hold_s") => range(limits::HOLD_S),
            (_, "countdown_s") => range(limits::COUNTDOWN_S),
            (_, "duration_s") => range(limits::DURATION_S),
            (_, "add") => range(limits::ADD),
            (_, "qty") => range(limits::QTY),
            (_, "count") => range(limits::REACTIONS),
            (_, "slow_s") => range(limits::SLOW_S),
            (_, "viewers") => range(limits::REHEARSAL_VIEWERS),
            (_, "expires_s") => range(limits::INVITE_S),
            (_, "uses") => range(limits::INVITE_USES),
            (_, "scheduled_at" | "replay_started_at") => range(limits::SCHEDULED_AT),
            (_, "limit") => range(limits::PAGE),
            ("ChatMuteRequest", "seconds") => range(limits::MUTE_S),
            ("OffersExtendRequest", "seconds") => range(limits::EXTEND_S),
            ("RehearsalRequest", "seconds") => range(limits::REHEARSAL_S),
            ("ChatSlowModeRequest", "seconds") => range(limits::SLOW_S),
            _ => return None,
        })
    }
}

/// A key of Stripe, by its field.
fn stripe_key(field: &str) -> Option<Value> {
    let (begins, example) = match field {
        "key" => ("(rk|sk)_(live|test)_", "rk_live_…"),
        "publishable_key" => ("pk_(live|test)_", "pk_live_…"),
        "webhook_secret" => ("whsec_", "whsec_…"),
        _ => return None,
    };
    let example = example.replace('…', "51Abcdefghijkl");
    Some(
        json!({ "minLength": 7, "maxLength": STRIPE_KEY_BYTES_MAX, "pattern": format!("^{begins}[!-~]+$"), "example": example }),
    )
}

fn visible(length_max: usize) -> Value {
    json!({ "minLength": 1, "maxLength": length_max, "pattern": visible_pattern() })
}

/// A text of one line that may be left empty.
fn line_or_nothing(length_max: usize) -> Value {
    json!({ "maxLength": length_max, "pattern": format!("^$|{}", visible_pattern()) })
}

fn visible_pattern() -> String {
    let ranges = VISIBLE.iter().map(|(first, last)| format!("\\u{first:04x}-\\u{last:04x}"));
    format!("[{}]", ranges.collect::<String>())
}

fn range((low, high): Limit) -> Value {
    json!({ "minimum": low, "maximum": high })
}

/// The roles that a token may carry and that fulfil `wanted`.
fn roles(wanted: impl Fn(Role) -> bool) -> Vec<&'static str> {
    let all = ["viewer", "moderator", "producer", "analyst", "host", "admin"];
    all.into_iter().filter(|name| Role::of_token(name).is_some_and(&wanted)).collect()
}

fn text_default(owner: &str, field: &str, node: &Map<String, Value>) -> Value {
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

fn number_default(field: &str) -> Value {
    let is_time = field.ends_with("_at") || field.ends_with("until") || ["at", "now", "from", "since"].contains(&field);
    match field {
        _ if is_time => range((0, TIME_MAX)),
        "status" => range((400, 599)),
        "v" | "position" | "adjustment" => range((-SAFE_INTEGER, SAFE_INTEGER)),
        _ => range((0, SAFE_INTEGER)),
    }
}

fn list_default(owner: &str, field: &str) -> Value {
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

fn map_default(field: &str) -> Value {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_the_documents_call_visible_is_accepted() {
        for (first, last) in VISIBLE {
            for character in (first..=last).filter_map(|unit| char::from_u32(unit.into())) {
                assert!(Name::parse(&character.to_string()).is_ok(), "U+{:04X}", u32::from(character));
            }
        }
    }

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
