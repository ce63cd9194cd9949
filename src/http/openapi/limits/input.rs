//! The limits of what clients send, as the validation has them.

use serde_json::{Value, json};

use super::field::{choice_rule, format_rule, number_rule, text_rule};
use super::output::SAFE_INTEGER;
use super::shapes::{EMAIL, PICTURE_URL, VISIBLE_ASCII, range, visible, visible_pattern};
use crate::domain::catalogue_file::FILE_BYTES_MAX;
use crate::domain::chat::ChatText;
use crate::domain::country;
use crate::domain::coupon::CODE_TEXT_MAX;
use crate::domain::dispute::DISPUTE_REFERENCE_MAX;
use crate::domain::limits;
use crate::domain::mail_settings::LOGIN_LENGTH_MAX;
use crate::domain::manual_payment::{DAYS_MAX, OPEN_ORDERS_MAX};
use crate::domain::oidc::OIDC_CODE_MAX;
use crate::domain::passkey::PASSKEY_NAME_MAX;
use crate::domain::picture::{FOCUS, PICTURE_BYTES_MAX};
use crate::domain::product;
use crate::domain::retention::RETENTION_DAYS_MAX;
use crate::domain::staff::STAFF_ROLES;
use crate::domain::stripe_keys::STRIPE_KEY_BYTES_MAX;
use crate::domain::test_provider::TestScenario;
use crate::domain::{AuditAction, EmailAddress, Role};

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
pub fn is_input(owner: &str) -> bool {
    owner.ends_with("Request") || INPUTS.contains(&owner)
}

/// The limit of a field that clients send. A rule for one request goes before those for every field of a name.
pub fn input_rule(owner: &str, field: &str, with_test_provider: bool) -> Option<Value> {
    if with_test_provider && (owner, field) == ("OrdersPayRequest", "token") {
        return Some(json!({ "enum": TestScenario::ALL.map(TestScenario::name) }));
    }
    request_text_rule(owner, field)
        .or_else(|| request_format_rule(owner, field))
        .or_else(|| request_number_rule(owner, field))
        .or_else(|| text_rule(field))
        .or_else(|| format_rule(field))
        .or_else(|| choice_rule(field))
        .or_else(|| number_rule(field))
}

/// Texts that people type, in one request.
fn request_text_rule(owner: &str, field: &str) -> Option<Value> {
    Some(match (owner, field) {
        ("Address", "name" | "city" | "region") => visible(80),
        ("Address", "lines") => visible(120),
        ("Address", "postcode") => visible(16),
        ("NewVariantRequest" | "ChangeVariantRequest", "name") => visible(120),
        ("ProductOptionRequest", "name" | "values") | ("NewVariantRequest" | "ChangeVariantRequest", "options") => {
            visible(product::OPTION_LENGTH_MAX)
        }
        ("OrderNoteForm", "text") => visible(1_000),
        ("NewCouponRequest", "code") | ("ChangeOrderRequest", "coupon") => visible(CODE_TEXT_MAX),
        ("NewPasskeyRequest", "name") => visible(PASSKEY_NAME_MAX),
        ("ChatAnnounceRequest", "text") => {
            json!({ "maxLength": ChatText::LENGTH_MAX, "pattern": format!("^$|{}", visible_pattern()) })
        }
        ("CustomerNoteRequest", "text") => visible(1_000),
        // 500 bytes, and a character has at most four.
        ("OrdersRefundRequest" | "OrdersRefundPartRequest", "reason") => visible(125),
        _ => return None,
    })
}

/// Texts of a fixed form, in one request.
fn request_format_rule(owner: &str, field: &str) -> Option<Value> {
    Some(match (owner, field) {
        ("MarketForm", "countries") => json!({ "enum": country::CODES }),
        ("CloseDisputeRequest", "reference") => {
            json!({ "minLength": 1, "maxLength": DISPUTE_REFERENCE_MAX, "pattern": VISIBLE_ASCII, "example": "du_1MtJUT2eZvKYlo2C" })
        }
        ("ProductPictureRequest", "address") => json!({ "minLength": 1, "maxLength": 2_000, "pattern": PICTURE_URL }),
        ("MediaMtxRequest" | "OvenMediaCallRequest", _) => json!({ "maxLength": 4_000 }),
        ("PictureFileRequest", _) => json!({ "minLength": 1, "maxLength": PICTURE_BYTES_MAX }),
        ("ImportFileRequest", _) => json!({ "minLength": 1, "maxLength": FILE_BYTES_MAX }),
        ("NewPasskeyRequest" | "UsePasskeyRequest", _) => {
            json!({ "minLength": 2, "maxLength": 5_462, "pattern": "^[A-Za-z0-9_-]+$" })
        }
        ("MailServerRequest", "host") => json!({ "minLength": 1, "maxLength": 253, "pattern": "^[A-Za-z0-9.-]+$" }),
        ("MailServerRequest", "user" | "password") => {
            json!({ "minLength": 1, "maxLength": LOGIN_LENGTH_MAX, "pattern": VISIBLE_ASCII })
        }
        ("MailServerRequest", "from") => {
            json!({ "minLength": 5, "maxLength": EmailAddress::LENGTH_MAX, "pattern": EMAIL })
        }
        ("StripeKeysRequest", name) => stripe_key(name)?,
        ("InviteRequest", "role") => json!({ "enum": roles(Role::can_be_invited) }),
        ("StaffInviteRequest" | "SetStaffRoleRequest", "role") => json!({ "enum": STAFF_ROLES.map(Role::name) }),
        ("DevTokenRequest", "role") => json!({ "enum": roles(|_| true) }),
        ("", "kind") => json!({ "enum": AuditAction::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>() }),
        ("FinishOidcRequest", "code") => {
            json!({ "minLength": 1, "maxLength": OIDC_CODE_MAX, "pattern": VISIBLE_ASCII })
        }
        ("FinishOidcRequest", "state") => json!({ "minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$",
            "example": "c0ffee00".repeat(8) }),
        ("VerifyEmailCodeRequest", "code") => json!({ "minLength": 6, "maxLength": 6, "pattern": "^[0-9]{6}$" }),
        _ => return None,
    })
}

/// Numbers of one request.
fn request_number_rule(owner: &str, field: &str) -> Option<Value> {
    Some(range(match (owner, field) {
        ("StreamSeriesRequest", "count") => limits::SERIES,
        ("StockEditRequest", _) => limits::STOCK,
        // Except 0.
        ("StockChangeRequest", "units") => limits::STOCK_CHANGE,
        ("NewCouponRequest", "amount") => limits::COUPON_AMOUNT,
        ("PictureFocusRequest", _) => FOCUS,
        ("OrdersRefundPartRequest", "amount") => (0, SAFE_INTEGER),
        ("MailServerRequest", "port") => (1, 65_535),
        ("ManualPaymentsForm", "cash_days" | "transfer_days") => (1, DAYS_MAX),
        ("ManualPaymentsForm", "open_orders_max") => (1, OPEN_ORDERS_MAX),
        ("RetentionForm", "address_days" | "chat_days" | "mail_days") => (0, RETENTION_DAYS_MAX),
        ("RefundLineRequest", "quantity") => limits::QTY,
        ("ChatMuteRequest", "seconds") => limits::MUTE_S,
        ("OffersExtendRequest", "seconds") => limits::EXTEND_S,
        ("RehearsalRequest", "seconds") => limits::REHEARSAL_S,
        ("ChatSlowModeRequest", "seconds") => limits::SLOW_S,
        _ => return None,
    }))
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

/// The roles that a token may carry and that fulfil `wanted`.
fn roles(wanted: impl Fn(Role) -> bool) -> Vec<&'static str> {
    let all = ["viewer", "moderator", "producer", "analyst", "host", "admin"];
    all.into_iter().filter(|name| Role::of_token(name).is_some_and(&wanted)).collect()
}
