//! The limits of what clients send in a field of a name, whatever the request is.

use serde_json::{Value, json};

use super::output::{SAFE_INTEGER, TOKEN_MAX};
use super::shapes::{EMAIL, IDEMPOTENCY_KEY, PHONE, PICTURE_URL, URL, VISIBLE_ASCII, line_or_nothing, range, visible};
use crate::domain::audit::REASON_LENGTH_MAX;
use crate::domain::blocklist::Blocklist;
use crate::domain::bulk_edit::SCAN_LENGTH_MAX;
use crate::domain::catalogue_import::FILE_NAME_LENGTH_MAX;
use crate::domain::chat::ChatText;
use crate::domain::limits;
use crate::domain::picture::ALT_LENGTH_MAX;
use crate::domain::product;
use crate::domain::saved_view::QUERY_LENGTH_MAX;
use crate::domain::shop_settings::{SELLER_LINE_MAX, TAX_BP_MAX, VAT_NUMBER_MAX};
use crate::domain::stream_change;
use crate::domain::{ApiScope, EmailAddress, Name, StreamStatus, UserId};

/// Texts that people type.
pub fn text_rule(field: &str) -> Option<Value> {
    Some(match field {
        "title" | "sku" => visible(120),
        "tags" => visible(stream_change::TAG_LENGTH_MAX),
        "description" => json!({ "maxLength": product::DESCRIPTION_LENGTH_MAX }),
        "delivery" => json!({ "maxLength": product::DELIVERY_LENGTH_MAX }),
        "scan" => visible(SCAN_LENGTH_MAX),
        "search" => json!({ "maxLength": product::SEARCH_LENGTH_MAX }),
        "note" => visible(REASON_LENGTH_MAX),
        "view" => visible(40),
        "tag" => visible(30),
        "legal_name" => line_or_nothing(SELLER_LINE_MAX),
        "legal_address" => visible(SELLER_LINE_MAX),
        "vat_number" => line_or_nothing(VAT_NUMBER_MAX),
        "carrier" => line_or_nothing(60),
        "tracking" => line_or_nothing(80),
        "name" => visible(Name::LENGTH_MAX),
        "category" => visible(40),
        "alt" => visible(ALT_LENGTH_MAX),
        "word" => visible(Blocklist::LENGTH_MAX),
        "text" => visible(ChatText::LENGTH_MAX),
        "reason" => visible(REASON_LENGTH_MAX),
        "file_name" => visible(FILE_NAME_LENGTH_MAX),
        _ => return None,
    })
}

/// Texts of a fixed form.
pub fn format_rule(field: &str) -> Option<Value> {
    Some(match field {
        "country" => json!({ "minLength": 2, "maxLength": 2, "pattern": "^[A-Za-z]{2}$" }),
        "phone" => json!({ "minLength": 5, "maxLength": 40, "pattern": PHONE }),
        "first" => {
            json!({ "minLength": 16, "maxLength": 16, "pattern": "^20[2-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]$" })
        }
        "barcode" => json!({ "minLength": 1, "maxLength": product::BARCODE_LENGTH_MAX, "pattern": VISIBLE_ASCII }),
        "image" | "poster" => json!({ "minLength": 1, "maxLength": 2_000, "pattern": PICTURE_URL }),
        "video" | "whep" | "replay" | "address" | "iss" => {
            json!({ "minLength": 1, "maxLength": 2_000, "pattern": URL })
        }
        "user" | "buyer" | "by_user" => {
            json!({ "minLength": 1, "maxLength": UserId::LENGTH_MAX, "pattern": VISIBLE_ASCII })
        }
        "Idempotency-Key" | "key" => json!({ "minLength": 8, "maxLength": 255, "pattern": IDEMPOTENCY_KEY }),
        "quote_version" => json!({ "minLength": 1, "maxLength": 64, "pattern": VISIBLE_ASCII }),
        "token" => json!({ "minLength": 1, "maxLength": TOKEN_MAX }),
        "first_day" | "last_day" => json!({ "format": "date", "minLength": 10, "maxLength": 10 }),
        "after" => json!({ "format": "uuid", "minLength": 36, "maxLength": 36 }),
        "currency" => json!({ "minLength": 3, "maxLength": 3, "pattern": "^[A-Z]{3}$" }),
        "time_zone" => {
            json!({ "minLength": 3, "maxLength": 40, "pattern": "^(UTC|[A-Za-z]+/[A-Za-z_]+(/[A-Za-z_]+)?)$" })
        }
        "query" => json!({ "maxLength": QUERY_LENGTH_MAX, "pattern": "^[!-~]*$" }),
        "lang" => json!({ "minLength": 2, "maxLength": 16, "pattern": "^[A-Za-z0-9-]+$" }),
        "secret" => json!({ "minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$" }),
        "email" => json!({ "minLength": 5, "maxLength": EmailAddress::LENGTH_MAX, "pattern": EMAIL }),
        "code" | "payment" => json!({ "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9_-]+$" }),
        _ => return None,
    })
}

/// Texts of which there are only some.
pub fn choice_rule(field: &str) -> Option<Value> {
    Some(match field {
        "status" => json!({ "enum": StreamStatus::ALL.map(StreamStatus::name) }),
        "audit_file" => json!({ "enum": ["audit-log.csv", "audit-log.jsonl"] }),
        "orders_file" => json!({ "enum": ["orders.csv", "orders.jsonl"] }),
        "documents_file" => json!({ "enum": ["documents.csv", "documents.jsonl"] }),
        "catalogue_file" => json!({ "enum": ["products.csv", "products-shopify.csv"] }),
        "encoding" => json!({ "enum": ["utf-8", "utf-16le", "utf-16be", "windows-1256", "windows-1252"] }),
        "file" => json!({ "enum": ["chat.csv", "chat.jsonl", "audit-log.csv", "audit-log.jsonl"] }),
        "provider" => json!({ "enum": ["test"] }),
        "language" => json!({ "enum": ["en", "ar", "id"] }),
        "scopes" => json!({ "enum": ApiScope::ALL.iter().map(|scope| scope.name()).collect::<Vec<_>>() }),
        _ => return None,
    })
}

pub fn number_rule(field: &str) -> Option<Value> {
    Some(range(match field {
        "cost" | "minimum" | "price" | "old_price" | "delivery_fee" | "delivery_free_from" => limits::PRICE,
        "weight_g" => limits::WEIGHT_G,
        "version" => (1, SAFE_INTEGER),
        "percent_bp" => limits::PERCENT_BP,
        "starts_at" | "ends_at" | "scheduled_at" | "replay_started_at" => limits::SCHEDULED_AT,
        "quota" | "per_person" => limits::COUPON_USES,
        "tax_bp" => (0, TAX_BP_MAX),
        "hours" => limits::ROTATION_H,
        "stock" => limits::STOCK,
        "quantity" => limits::QUANTITY,
        "per_buyer" => limits::PER_BUYER,
        "hold_s" => limits::HOLD_S,
        "countdown_s" => limits::COUNTDOWN_S,
        "duration_s" => limits::DURATION_S,
        "add" => limits::ADD,
        "qty" => limits::QTY,
        "count" => limits::REACTIONS,
        "slow_s" => limits::SLOW_S,
        "viewers" => limits::REHEARSAL_VIEWERS,
        "expires_s" => limits::INVITE_S,
        "uses" => limits::INVITE_USES,
        "limit" => limits::PAGE,
        _ => return None,
    }))
}
