//! Operations in the OpenAPI document: their ids, who may call them, their error answers and headers.

use serde_json::{Value, json};

use crate::domain::api_key::scope_of;
use crate::domain::{ErrorCode, Role};

/// Who may call an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// No token is read.
    Public,
    /// A token is read if there is one: the team sees more than anonymous users.
    TokenOptional,
    /// At least this role.
    Least(Role),
}

/// The operations that are not live verbs. A verb names its least role itself. What is not here needs a token.
const ACCESS: [(&str, Access); 142] = [
    ("shop_show", Access::Public),
    ("shop_policy", Access::Public),
    ("shop_create_token", Access::Public),
    ("shop_redeem_code", Access::Public),
    ("shop_session", Access::TokenOptional),
    ("shop_sign_out", Access::TokenOptional),
    ("shop_sign_in_guest", Access::Public),
    ("shop_send_email_code", Access::Public),
    ("shop_verify_email_code", Access::Public),
    ("shop_begin_oidc", Access::Public),
    ("shop_finish_oidc", Access::TokenOptional),
    ("shop_passkey_challenge", Access::TokenOptional),
    ("shop_use_passkey", Access::TokenOptional),
    ("shop_follow", Access::TokenOptional),
    ("shop_confirm_follow", Access::Public),
    ("shop_settings", Access::Least(Role::Admin)),
    ("shop_change_settings", Access::Least(Role::Admin)),
    ("shop_mail_server", Access::Least(Role::Admin)),
    ("shop_set_mail_server", Access::Least(Role::Owner)),
    ("shop_remove_mail_server", Access::Least(Role::Admin)),
    ("shop_test_mail_server", Access::Least(Role::Owner)),
    ("shop_stripe_keys", Access::Least(Role::Owner)),
    ("shop_set_stripe_keys", Access::Least(Role::Owner)),
    ("shop_remove_stripe_keys", Access::Least(Role::Owner)),
    ("shop_check_stripe_keys", Access::Least(Role::Owner)),
    ("staff_list", Access::Least(Role::Admin)),
    ("staff_invite", Access::Least(Role::Admin)),
    ("staff_withdraw_invite", Access::Least(Role::Admin)),
    ("staff_set_role", Access::Least(Role::Admin)),
    ("staff_remove", Access::Least(Role::Admin)),
    ("staff_list_api_keys", Access::Least(Role::Admin)),
    ("staff_create_api_key", Access::Least(Role::Admin)),
    ("staff_rotate_api_key", Access::Least(Role::Admin)),
    ("staff_end_api_key", Access::Least(Role::Admin)),
    ("staff_open_invite", Access::Public),
    ("staff_open_setup", Access::Public),
    ("staff_set_up", Access::Public),
    ("shop_erase_me", Access::Least(Role::Viewer)),
    ("shop_my_data", Access::Least(Role::Viewer)),
    ("shop_my_address_show", Access::Least(Role::Viewer)),
    ("shop_my_address_set", Access::Least(Role::Viewer)),
    ("shop_my_address_erase", Access::Least(Role::Viewer)),
    ("shop_erase_user", Access::Least(Role::Admin)),
    ("shop_list_token_revocations", Access::Least(Role::Admin)),
    ("shop_revoke_tokens", Access::Least(Role::Admin)),
    ("shop_restore_tokens", Access::Least(Role::Admin)),
    ("shop_audit_log", Access::Least(Role::Admin)),
    ("shop_whole_audit_log", Access::Least(Role::Admin)),
    ("shop_export_audit_log", Access::Least(Role::Admin)),
    ("streams_list", Access::Public),
    ("streams_show", Access::Public),
    ("streams_calendar", Access::Public),
    ("streams_qr", Access::Public),
    ("streams_show_log", Access::Public),
    ("streams_publish_key_state", Access::Least(Role::Host)),
    ("streams_publish_key", Access::Least(Role::Host)),
    ("streams_rotate_publish_key", Access::Least(Role::Host)),
    ("streams_end_publish_keys", Access::Least(Role::Host)),
    ("streams_viewer_token", Access::TokenOptional),
    ("streams_ask_mediamtx", Access::Public),
    ("streams_ask_ovenmediaengine", Access::Public),
    ("streams_summary", Access::Least(Role::Analyst)),
    ("streams_full_report", Access::Least(Role::Analyst)),
    ("streams_report_csv", Access::Least(Role::Analyst)),
    ("streams_create", Access::Least(Role::Host)),
    ("streams_start", Access::Least(Role::Host)),
    ("streams_end", Access::Least(Role::Host)),
    ("streams_change", Access::Least(Role::Host)),
    ("streams_cancel", Access::Least(Role::Host)),
    ("streams_copy", Access::Least(Role::Host)),
    ("streams_series", Access::Least(Role::Host)),
    ("streams_rehearsal_start", Access::Least(Role::Host)),
    ("streams_rehearsal_show", Access::Least(Role::Host)),
    ("streams_rehearsal_stop", Access::Least(Role::Host)),
    ("orders_of_link", Access::Public),
    ("orders_withdraw_by_link", Access::Public),
    ("orders_of_shop", Access::Least(Role::Producer)),
    ("shop_list_saved_views", Access::Least(Role::Producer)),
    ("shop_save_view", Access::Least(Role::Producer)),
    ("shop_remove_view", Access::Least(Role::Producer)),
    ("shop_list_customers", Access::Least(Role::Host)),
    ("shop_show_customer", Access::Least(Role::Host)),
    ("shop_add_customer_note", Access::Least(Role::Host)),
    ("shop_block_customer", Access::Least(Role::Host)),
    ("shop_unblock_customer", Access::Least(Role::Host)),
    ("shop_customer_data", Access::Least(Role::Admin)),
    ("shop_list_coupons", Access::Least(Role::Producer)),
    ("shop_coupon", Access::Least(Role::Producer)),
    ("shop_create_coupon", Access::Least(Role::Host)),
    ("shop_change_coupon", Access::Least(Role::Host)),
    ("shop_list_mails", Access::Least(Role::Host)),
    ("shop_send_mail_again", Access::Least(Role::Host)),
    ("shop_payment_days", Access::Least(Role::Analyst)),
    ("shop_payment_days_csv", Access::Least(Role::Analyst)),
    ("orders_export", Access::Least(Role::Producer)),
    ("orders_documents_of_link", Access::Public),
    ("orders_documents_of_shop", Access::Least(Role::Producer)),
    ("orders_documents_export", Access::Least(Role::Producer)),
    ("orders_mark_paid", Access::Least(Role::Host)),
    ("orders_cancel_placed", Access::Least(Role::Host)),
    ("orders_close_dispute", Access::Least(Role::Host)),
    ("orders_tags_in_use", Access::Least(Role::Producer)),
    ("orders_of_stream", Access::Least(Role::Producer)),
    ("offers_list", Access::TokenOptional),
    ("offers_show", Access::TokenOptional),
    ("offers_create", Access::Least(Role::Producer)),
    ("offers_set_lineup", Access::Least(Role::Producer)),
    ("offers_schedule", Access::Least(Role::Producer)),
    ("offers_create_quick_item", Access::Least(Role::Producer)),
    ("products_list", Access::TokenOptional),
    ("products_create", Access::Least(Role::Producer)),
    ("products_restock", Access::Least(Role::Producer)),
    ("products_show", Access::TokenOptional),
    ("products_change", Access::Least(Role::Producer)),
    ("products_archive", Access::Least(Role::Producer)),
    ("products_restore", Access::Least(Role::Producer)),
    ("products_change_stock", Access::Least(Role::Producer)),
    ("products_stock_log", Access::Least(Role::Producer)),
    ("products_prices", Access::Least(Role::Producer)),
    ("products_upload", Access::Least(Role::Producer)),
    ("products_show_gallery", Access::TokenOptional),
    ("products_set_gallery", Access::Least(Role::Producer)),
    ("products_find_variants", Access::Least(Role::Producer)),
    ("products_bulk_edit", Access::Least(Role::Producer)),
    ("products_upload_import", Access::Least(Role::Producer)),
    ("products_list_imports", Access::Least(Role::Producer)),
    ("products_show_import", Access::Least(Role::Producer)),
    ("products_show_imported_products", Access::Least(Role::Producer)),
    ("products_apply_import", Access::Least(Role::Producer)),
    ("products_cancel_import", Access::Least(Role::Producer)),
    ("products_undo_import", Access::Least(Role::Producer)),
    ("products_export", Access::Least(Role::Producer)),
    ("chat_list", Access::TokenOptional),
    ("chat_sanctions", Access::Least(Role::Moderator)),
    ("chat_blocklist", Access::Least(Role::Moderator)),
    ("chat_set_blocklist", Access::Least(Role::Moderator)),
    ("chat_audit_log", Access::Least(Role::Moderator)),
    ("chat_export", Access::Least(Role::Moderator)),
    ("team_list", Access::Least(Role::Host)),
    ("team_create", Access::Least(Role::Host)),
    ("team_revoke", Access::Least(Role::Host)),
    ("team_accept", Access::Public),
];

/// Statuses with a shared error answer in `components.responses`.
const STATUSES: [u16; 12] = [400, 401, 402, 403, 404, 409, 413, 415, 422, 429, 500, 503];

/// Completes every operation of the document.
pub fn complete(document: &mut Value) {
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            set_id(operation);
            let access = access(operation);
            set_security(operation, access);
            add_scope(operation, path, method);
            describe_answers(operation, method);
            add_errors(operation, path, method, access);
            if operation["description"].is_null() {
                operation["description"] = operation["summary"].clone();
            }
        }
    }
    for status in STATUSES {
        document["components"]["responses"][response_name(status)] = error_response(status);
    }
    document["components"]["responses"]["Error"] = json!({
        "description": "Any other error, with the same shape.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
}

/// `orders_refund`: the tag of the operation and its own name, so that no two are equal.
fn set_id(operation: &mut Value) {
    let tag = operation["tags"][0].as_str().unwrap_or("other").to_owned();
    let own = operation["operationId"].as_str().unwrap_or_default();
    if !own.starts_with(&format!("{tag}_")) {
        operation["operationId"] = format!("{tag}_{own}").into();
    }
}

fn access(operation: &Value) -> Access {
    let id = operation["operationId"].as_str().unwrap_or_default();
    if let Some(role) = operation["x-least-role"].as_str().and_then(Role::parse) {
        return Access::Least(role);
    }
    match ACCESS.iter().find(|(known, _)| *known == id) {
        Some((_, access)) => *access,
        None if operation["tags"][0] == "payments" => Access::Public,
        None => Access::Least(Role::Viewer),
    }
}

fn set_security(operation: &mut Value, access: Access) {
    operation["security"] = match access {
        Access::Public => json!([]),
        Access::TokenOptional => json!([{ "token": [] }, {}]),
        Access::Least(role) => {
            operation["x-least-role"] = json!(role);
            json!([{ "token": [] }])
        }
    };
}

/// An operation that programs may use names the scope that their key needs.
fn add_scope(operation: &mut Value, path: &str, method: &str) {
    let Some(scope) = scope_of(&method.to_uppercase(), path) else { return };
    operation["x-scope"] = scope.name().into();
    if let Some(ways) = operation["security"].as_array_mut().filter(|ways| !ways.is_empty()) {
        ways.insert(1, json!({ "api_key": [] }));
    }
}

/// An answer without a description gets the summary of its operation, and the headers that it has.
fn describe_answers(operation: &mut Value, method: &str) {
    let summary = operation["summary"].as_str().unwrap_or("Done").to_owned();
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let is_keyed = method != "get" && parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
    for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
        if answer["description"].as_str().is_none_or(str::is_empty) {
            answer["description"] = summary.clone().into();
        }
        let mut headers = json!({});
        if is_keyed && status.starts_with('2') {
            headers["Idempotency-Replayed"] =
                header("`true`: the answer repeats the result of an earlier request with this key", "true");
        }
        if is_keyed && status == "201" {
            headers["Location"] =
                header("The path of what was created", "/v1/orders/0190a0a0-0000-7000-8000-000000000001");
        }
        let kinds: Vec<String> =
            answer["content"].as_object().into_iter().flatten().map(|(kind, _)| kind.clone()).collect();
        if kinds.iter().any(|kind| kind == "text/csv" || kind == "text/calendar") {
            headers["Content-Disposition"] =
                header("The name under which a browser saves the file", "attachment; filename=\"report.csv\"");
        }
        if kinds.iter().any(|kind| kind == "image/svg+xml") {
            headers["ETag"] = header("The version of the picture, for `If-None-Match`", "\"0123456789ab\"");
        }
        if headers.as_object().is_some_and(|headers| !headers.is_empty()) {
            answer["headers"] = headers;
        }
    }
}

fn header(about: &str, example: &str) -> Value {
    json!({ "description": about, "schema": { "type": "string", "maxLength": 255 }, "example": example })
}

/// The error answers that an operation can give, by what it reads. Rare ones are in `default`.
fn add_errors(operation: &mut Value, path: &str, method: &str, access: Access) {
    let is_write = method != "get";
    let is_keyed = is_write && operation["parameters"].to_string().contains("Idempotency-Key");
    let has_body = operation["requestBody"].is_object();
    let tag = operation["tags"][0].as_str().unwrap_or_default().to_owned();
    let mut statuses = vec![400, 403, 500, 503];
    statuses.extend((access != Access::Public).then_some(401));
    statuses.extend(path.contains('{').then_some(404));
    statuses.extend(if has_body { &[413, 415, 422][..] } else { &[] });
    statuses.extend((is_write && ["streams", "offers", "orders", "products"].contains(&tag.as_str())).then_some(409));
    statuses.extend((is_keyed && path.starts_with("/v1/orders/")).then_some(402));
    statuses.extend((is_keyed && !has_body).then_some(422));
    statuses.extend((tag == "chat" && is_write).then_some(429));
    for status in statuses {
        operation["responses"][status.to_string()] =
            json!({ "$ref": format!("#/components/responses/{}", response_name(status)) });
    }
    operation["responses"]["default"] = json!({ "$ref": "#/components/responses/Error" });
}

fn response_name(status: u16) -> String {
    format!("Error{status}")
}

/// The answer of a status, with the codes that have it.
fn error_response(status: u16) -> Value {
    let codes: Vec<&ErrorCode> = ErrorCode::all().filter(|code| code.status == status).collect();
    let names: Vec<String> = codes.iter().map(|code| format!("`{}`", code.code)).collect();
    let description =
        if names.is_empty() { "`bad_request` with this status.".to_owned() } else { format!("{}.", names.join(", ")) };
    let mut response = json!({
        "description": description,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let bad_request = ErrorCode::all().find(|code| code.code == "bad_request");
    if let Some(code) = codes.first().copied().or(bad_request) {
        response["content"]["application/problem+json"]["example"] = json!({
            "type": crate::protocol::problem::type_uri(code),
            "title": code.code.replace('_', " "),
            "status": status,
            "code": code.code,
            "detail": code.meaning,
            "retry_ms": if [429, 503].contains(&status) { json!(1_000) } else { Value::Null },
        });
    }
    if [429, 503].contains(&status) {
        response["headers"]["Retry-After"] = json!({
            "description": "The seconds after which a retry may succeed",
            "schema": { "type": "integer", "minimum": 0, "maximum": 2_592_000 }, "example": 1,
        });
    }
    if status == 401 {
        response["headers"]["WWW-Authenticate"] = header("The scheme of the token", "Bearer");
    }
    response
}
