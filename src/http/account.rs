//! REST routes for signing in on our own pages: who I am, guests, codes by e-mail, and my sessions.
//!
//! A session is a cookie, which no script can read. Tokens of the shop's own site go on working beside it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::AppendHeaders;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use super::session_cookie::{CookieScope, OwnPage};
use crate::app::StartedSession;
use crate::domain::{
    Actor, EmailAddress, EmailCodeId, IdentityKind, Language, Millis, Name, PasskeyStanding, Role, SignInSession,
    SignInSessionId, UserId,
};

/// An answer that sets a cookie.
pub type WithCookie<T> = (StatusCode, AppendHeaders<[(HeaderName, HeaderValue); 1]>, T);

fn with_cookie<T>(status: StatusCode, cookie: (HeaderName, HeaderValue), answer: T) -> WithCookie<T> {
    (status, AppendHeaders([cookie]), answer)
}

/// Who the caller is.
#[derive(Serialize, ToSchema)]
pub struct IdentityView {
    kind: IdentityKind,
    /// Null for an anonymous user.
    user: Option<UserId>,
    name: Option<Name>,
    role: Role,
    /// The address that the user proved; null without an account.
    email: Option<EmailAddress>,
    /// When the session or the token ends. A session that is used lasts longer.
    expires_at: Option<Millis>,
    /// Whether one can sign in by a code by e-mail here.
    email_sign_in: bool,
    /// The name of the identity provider with which one can sign in; null: there is none.
    oidc: Option<String>,
    /// Whether browsers make passkeys for this address.
    passkeys: bool,
    /// What this session has to do with the passkeys of its account. While one is `needed`, the roles of the staff do not count.
    passkey: PasskeyStanding,
    /// The payment provider of this shop keeps cards of this account (`/v1/me/payment-methods`).
    saved_cards: bool,
}

impl IdentityView {
    pub fn of(state: &AppState, scope: &CookieScope, actor: &Actor) -> Self {
        let kind = actor.kind();
        let is_known = kind != IdentityKind::Anonymous;
        Self {
            kind,
            user: is_known.then(|| actor.user.clone()),
            name: is_known.then(|| actor.name.clone()),
            role: actor.role,
            email: actor.session.as_ref().and_then(|session| session.email.clone()),
            expires_at: actor.expires_at,
            email_sign_in: state.app.accounts.can_send_codes(),
            oidc: state.app.accounts.oidc_name().map(str::to_owned),
            passkeys: scope.passkey_site().is_some(),
            passkey: actor.session.as_ref().map(|session| session.passkey).unwrap_or_default(),
            saved_cards: state.app.checkout.keeps_cards_of(actor),
        }
    }
}

/// Who I am: a guest, an account, the user of a token, or nobody.
#[utoipa::path(get, path = "/v1/session", operation_id = "session", tag = "shop",
    responses((status = 200, body = IdentityView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    scope: CookieScope,
    headers: HeaderMap,
    Caller(actor): Caller,
) -> (AppendHeaders<Option<(HeaderName, HeaderValue)>>, Json<IdentityView>) {
    // The cookie of a session that is used lasts longer, like the session; one that has ended goes.
    let renewed = scope.secret(&Method::GET, &headers).map(|secret| match &actor.session {
        Some(_) => scope.start(&secret),
        None => scope.end(),
    });
    (AppendHeaders(renewed), Json(IdentityView::of(&state, &scope, &actor)))
}

#[derive(Deserialize, ToSchema)]
pub struct GuestRequest {
    /// What others see in the chat.
    name: String,
}

/// Signs in as a guest, under a name that one chooses. Only for our own pages: the session is a cookie.
#[utoipa::path(post, path = "/v1/session/guest", operation_id = "sign_in_guest", tag = "shop", request_body = GuestRequest,
    responses((status = 201, body = IdentityView), (status = "default", body = Problem)))]
pub async fn sign_in_guest(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
    JsonBody(form): JsonBody<GuestRequest>,
) -> ApiResult<WithCookie<Json<IdentityView>>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let started = state.app.accounts.sign_in_guest(Name::parse(&form.name)?, &page.user_agent).await?;
    Ok(signed_in(&state, &page.scope, &started))
}

pub fn signed_in(state: &AppState, scope: &CookieScope, started: &StartedSession) -> WithCookie<Json<IdentityView>> {
    let view = IdentityView::of(state, scope, &started.session.actor());
    with_cookie(StatusCode::CREATED, scope.start(&started.secret), Json(view))
}

#[derive(Deserialize, ToSchema)]
pub struct EmailCodeRequest {
    email: String,
    /// The language of the mail: `en`, `ar` or `id`.
    lang: Option<String>,
}

/// A code that is on its way, if the address can be reached.
#[derive(Serialize, ToSchema)]
pub struct EmailCodeResponse {
    /// Goes with the code.
    id: EmailCodeId,
    /// Ten minutes from now.
    expires_at: Millis,
}

/// Sends a code of six digits to an e-mail address. The answer is the same whether the address has an account or not. The code
/// works only in the browser that asked for it. A mailbox gets three codes an hour.
#[utoipa::path(post, path = "/v1/session/email", operation_id = "send_email_code", tag = "shop", request_body = EmailCodeRequest,
    responses((status = 202, body = EmailCodeResponse), (status = "default", body = Problem)))]
pub async fn send_email_code(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
    JsonBody(form): JsonBody<EmailCodeRequest>,
) -> ApiResult<WithCookie<Json<EmailCodeResponse>>> {
    let email = EmailAddress::parse(&form.email)?;
    state.code_requests.take(client, state.app.now())?;
    let language = Language::of_tag(form.lang.as_deref().unwrap_or_default());
    let asked = state.app.accounts.ask_for_code(email, language, page.code_secret).await?;
    let answer = EmailCodeResponse { id: asked.id, expires_at: asked.expires_at };
    Ok(with_cookie(StatusCode::ACCEPTED, page.scope.bind_code(&asked.browser), Json(answer)))
}

#[derive(Deserialize, ToSchema)]
pub struct VerifyEmailCodeRequest {
    id: EmailCodeId,
    /// The six digits.
    code: String,
    /// For a new account; default: the name of the guest. Without one the answer is `name_needed`, and the code stays valid.
    name: Option<String>,
}

/// Signs in with the code that was sent. A new address gets an account. What the guest of this browser bought joins it. A code has
/// five tries.
#[utoipa::path(post, path = "/v1/session/email/verify", operation_id = "verify_email_code", tag = "shop",
    request_body = VerifyEmailCodeRequest,
    responses((status = 201, body = IdentityView), (status = "default", body = Problem)))]
pub async fn verify_email_code(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    page: OwnPage,
    Caller(caller): Caller,
    JsonBody(form): JsonBody<VerifyEmailCodeRequest>,
) -> ApiResult<WithCookie<Json<IdentityView>>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let name = form.name.as_deref().map(Name::parse).transpose()?;
    let OwnPage { scope, code_secret, user_agent } = page;
    let accounts = &state.app.accounts;
    let started = accounts.sign_in_by_code(form.id, &form.code, code_secret, name, Some(caller), &user_agent).await?;
    Ok(signed_in(&state, &scope, &started))
}

#[derive(Deserialize, ToSchema)]
pub struct RenameRequest {
    name: String,
}

/// Changes my name. Open connections keep the old one until they reconnect.
#[utoipa::path(patch, path = "/v1/session", operation_id = "rename", tag = "shop", request_body = RenameRequest,
    responses((status = 200, body = IdentityView), (status = "default", body = Problem)))]
pub async fn rename(
    State(state): State<AppState>,
    scope: CookieScope,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<RenameRequest>,
) -> ApiResult<Json<IdentityView>> {
    let name = Name::parse(&form.name)?;
    state.app.accounts.rename(&actor, name.clone()).await?;
    Ok(Json(IdentityView::of(&state, &scope, &Actor { name, ..actor })))
}

/// Signs out in this browser. Its open connections are closed.
#[utoipa::path(delete, path = "/v1/session", operation_id = "sign_out", tag = "shop",
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn sign_out(
    State(state): State<AppState>,
    scope: CookieScope,
    Caller(actor): Caller,
) -> ApiResult<WithCookie<()>> {
    if let Some(session) = &actor.session {
        state.app.accounts.end_session(&actor, session.id).await?;
    }
    Ok(with_cookie(StatusCode::NO_CONTENT, scope.end(), ()))
}

/// One of my sessions: a browser in which I am signed in.
#[derive(Serialize, ToSchema)]
pub struct SignInSessionView {
    id: SignInSessionId,
    /// It is the session of this request.
    is_current: bool,
    created_at: Millis,
    /// To the hour.
    last_used_at: Millis,
    expires_at: Millis,
    /// What the browser called itself.
    user_agent: String,
}

#[derive(Serialize, ToSchema)]
pub struct SignInSessionList {
    items: Vec<SignInSessionView>,
}

/// My sessions, at most 50: the one that was used last comes first.
#[utoipa::path(get, path = "/v1/sessions", operation_id = "sessions", tag = "shop",
    responses((status = 200, body = SignInSessionList), (status = "default", body = Problem)))]
pub async fn list(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<SignInSessionList>> {
    let current = actor.session.as_ref().map(|session| session.id);
    let view = |session: SignInSession| SignInSessionView {
        is_current: current == Some(session.id),
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        user_agent: session.user_agent,
    };
    let sessions = state.app.accounts.sessions(&actor).await?;
    Ok(Json(SignInSessionList { items: sessions.into_iter().map(view).collect() }))
}

/// Ends one of my sessions.
#[utoipa::path(delete, path = "/v1/sessions/{session}", operation_id = "end_session", tag = "shop",
    params(("session" = SignInSessionId, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub async fn end(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(session): PathId<SignInSessionId>,
) -> ApiResult<StatusCode> {
    state.app.accounts.end_session(&actor, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs out everywhere: ends all my sessions, on every node within two seconds.
#[utoipa::path(delete, path = "/v1/sessions", operation_id = "sign_out_everywhere", tag = "shop",
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn end_all(
    State(state): State<AppState>,
    scope: CookieScope,
    Caller(actor): Caller,
) -> ApiResult<WithCookie<()>> {
    state.app.accounts.end_all_sessions(&actor).await?;
    Ok(with_cookie(StatusCode::NO_CONTENT, scope.end(), ()))
}
