//! REST routes of the mail server that the desk sets. For owners and admins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody};
use crate::app::send_test_mail;
use crate::domain::mail_settings::{MailProtection, MailServerRequest};
use crate::domain::{EmailAddress, Language, Refusal};

/// The mail server of the shop. Its password is shown to nobody.
#[derive(Serialize, ToSchema)]
#[schema(as = MailServer)]
pub struct MailServerView {
    /// The node was started with a mail server (`--smtp-url`), which comes before this one.
    is_given: bool,
    /// This server has a key to encrypt the password with. Without one it stores no mail server.
    can_store: bool,
    /// Null: the desk set none.
    host: Option<String>,
    port: Option<u16>,
    protection: Option<MailProtection>,
    user: Option<String>,
    /// The sender of the mails.
    from: Option<String>,
}

/// The mail server that the desk set. Owners and admins only.
#[utoipa::path(get, path = "/v1/shop/settings/mail", operation_id = "mail_server", tag = "shop",
    responses((status = 200, body = MailServerView), (status = "default", body = Problem)))]
pub async fn show(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<MailServerView>> {
    let found = state.app.settings_sync.mail_server(&actor).await?;
    let (is_given, can_store, stored) = (found.is_given, found.can_store, found.stored);
    Ok(Json(MailServerView {
        is_given,
        can_store,
        port: stored.as_ref().map(|stored| stored.port),
        protection: stored.as_ref().map(|stored| stored.protection),
        user: stored.as_ref().and_then(|stored| stored.user.clone()),
        host: stored.as_ref().map(|stored| stored.host.clone()),
        from: stored.map(|stored| stored.from),
    }))
}

/// Sets the mail server. It holds on every node within two seconds, without a restart. Its address must be public, unless the operator
/// allows it. The answer is `secrets_key_missing` on a server without a key for secrets. Owners and admins only, with a recent sign-in.
#[utoipa::path(put, path = "/v1/shop/settings/mail", operation_id = "set_mail_server", tag = "shop", request_body = MailServerRequest,
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn set(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<MailServerRequest>,
) -> ApiResult<StatusCode> {
    state.app.settings_sync.set_mail_server(&actor, form).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the mail server away that the desk set. Owners and admins only, with a recent sign-in.
#[utoipa::path(delete, path = "/v1/shop/settings/mail", operation_id = "remove_mail_server", tag = "shop",
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<StatusCode> {
    state.app.settings_sync.remove_mail_server(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct MailTestRequest {
    server: MailServerRequest,
    /// Who gets the test message.
    email: String,
    /// The language of the message: `en`, `ar` or `id`.
    lang: Option<String>,
}

/// Sends a test message by a mail server that need not be stored. `mail_refused` says what the mail server did not like. Owners and
/// admins only, with a recent sign-in.
#[utoipa::path(post, path = "/v1/shop/settings/mail/test", operation_id = "test_mail_server", tag = "shop",
    request_body = MailTestRequest, responses((status = 204), (status = "default", body = Problem)))]
pub async fn test(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<MailTestRequest>,
) -> ApiResult<StatusCode> {
    state.app.settings_sync.mail_server(&actor).await?;
    let to = EmailAddress::parse(&form.email)?;
    state.code_requests.take(client, state.app.now())?;
    let language = Language::of_tag(form.lang.as_deref().unwrap_or_default());
    let transport = state.app.settings_sync.mail_server_to_test(&actor, form.server).await?;
    let sent = send_test_mail(&transport, &state.app.shop(), to, language, state.app.now()).await;
    sent.map_err(Refusal::MailRefused)?;
    Ok(StatusCode::NO_CONTENT)
}
