//! REST routes of the staff: who has which role, and invites by e-mail. For owners and admins of the whole shop.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId, QueryParams};
use super::session_cookie::CookieScope;
use crate::app::{OpenedInvite, StaffInviteForm};
use crate::domain::staff::{StaffInvite, StaffMember, StaffRole};
use crate::domain::{AccountId, EmailAddress, Language, Millis, Name, Refusal, Role, StaffInviteId, StreamId, UserId};

/// The staff of the shop.
#[derive(Serialize, ToSchema)]
pub struct StaffView {
    /// In the order in which they came.
    members: Vec<StaffMemberView>,
    /// Invites that can still be accepted, newest first.
    invites: Vec<StaffInviteView>,
}

/// Somebody with a role. Whoever has roles in several shows is here once for each.
#[derive(Serialize, ToSchema)]
#[schema(as = StaffMember)]
pub struct StaffMemberView {
    account: AccountId,
    user: UserId,
    name: Name,
    /// Null: the account has no address.
    email: Option<EmailAddress>,
    role: Role,
    /// Null: the role holds in the whole shop.
    stream: Option<StreamId>,
    /// The name of whoever gave the role.
    by: String,
    created_at: Millis,
}

impl From<StaffMember> for StaffMemberView {
    fn from(member: StaffMember) -> Self {
        let StaffMember { account, name, email, place: StaffRole { role, stream }, by, created_at } = member;
        Self { account, user: account.user(), name, email, role, stream, by, created_at }
    }
}

/// An invite to one address, for one use.
#[derive(Serialize, ToSchema)]
#[schema(as = StaffInvite)]
pub struct StaffInviteView {
    id: StaffInviteId,
    email: EmailAddress,
    role: Role,
    /// Null: the role holds in the whole shop.
    stream: Option<StreamId>,
    by: String,
    created_at: Millis,
    /// Seven days after it was sent.
    expires_at: Millis,
}

impl From<StaffInvite> for StaffInviteView {
    fn from(invite: StaffInvite) -> Self {
        let StaffInvite { id, email, place: StaffRole { role, stream }, by, created_at, expires_at } = invite;
        Self { id, email, role, stream, by, created_at, expires_at }
    }
}

/// Everybody with a role in the shop or in one of its shows, and the open invites. Owners and admins only.
#[utoipa::path(get, path = "/v1/staff", operation_id = "list", tag = "staff",
    responses((status = 200, body = StaffView), (status = "default", body = Problem)))]
pub async fn list(State(state): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<StaffView>> {
    let (members, invites) = state.app.staff.list(&actor).await?;
    Ok(Json(StaffView {
        members: members.into_iter().map(StaffMemberView::from).collect(),
        invites: invites.into_iter().map(StaffInviteView::from).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
pub struct StaffInviteRequest {
    email: String,
    /// `owner`, `admin`, `host`, `producer`, `moderator` or `analyst`. Only roles below the caller's own can be given; owners make owners.
    role: String,
    /// The only show in which the role holds; left out: in the whole shop. Owners and admins are those of the whole shop.
    stream: Option<StreamId>,
    /// The language of the mail: `en`, `ar` or `id`.
    lang: Option<String>,
}

fn parse_role(role: &str) -> Result<Role, Refusal> {
    Role::parse(role).ok_or_else(|| Refusal::bad_field("role", "is unknown."))
}

/// Invites somebody to the staff by e-mail. The link in the mail is valid for one use within seven days, and only for somebody who
/// proves that address. Owners and admins only.
#[utoipa::path(post, path = "/v1/staff/invites", operation_id = "invite", tag = "staff", request_body = StaffInviteRequest,
    responses((status = 201, body = StaffInviteView), (status = "default", body = Problem)))]
pub async fn invite(
    State(state): State<AppState>,
    scope: CookieScope,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<StaffInviteRequest>,
) -> ApiResult<(StatusCode, Json<StaffInviteView>)> {
    // Authorization comes before validation: a refused caller learns nothing about the form.
    state.app.staff.check_may_manage(&actor).await?;
    let base = scope.base_url().ok_or_else(|| Refusal::bad_request("The Host header is missing. See --base-url."))?;
    let form = StaffInviteForm {
        email: EmailAddress::parse(&form.email)?,
        place: StaffRole::new(parse_role(&form.role)?, form.stream)?,
        language: Language::of_tag(form.lang.as_deref().unwrap_or_default()),
    };
    // The code is behind `#`: browsers do not send it to servers, so it gets into no log.
    let made = state.app.staff.invite(&actor, form, |code| format!("{base}/join#{code}")).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Withdraws an invite that was not accepted yet. Owners and admins only.
#[utoipa::path(delete, path = "/v1/staff/invites/{staff_invite}", operation_id = "withdraw_invite", tag = "staff",
    params(("staff_invite" = StaffInviteId, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub async fn withdraw(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(invite): PathId<StaffInviteId>,
) -> ApiResult<StatusCode> {
    state.app.staff.withdraw_invite(&actor, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub struct StaffLinkRequest {
    /// What the link has behind `#`.
    code: String,
}

/// An invite as its link shows it.
#[derive(Serialize, ToSchema)]
pub struct OpenedInviteView {
    /// The address that must be proved.
    email: EmailAddress,
    role: Role,
    stream: Option<StreamId>,
    /// The title of the show, if the role is for one.
    show: Option<String>,
    /// Who invites.
    by: String,
    expires_at: Millis,
}

impl From<OpenedInvite> for OpenedInviteView {
    fn from(OpenedInvite { invite, show }: OpenedInvite) -> Self {
        let StaffInvite { email, place: StaffRole { role, stream }, by, expires_at, .. } = invite;
        Self { email, role, stream, show, by, expires_at }
    }
}

/// What an invite is about. It needs no token: the code of the link is the credential.
#[utoipa::path(post, path = "/v1/staff/invites/open", operation_id = "open_invite", tag = "staff",
    request_body = StaffLinkRequest, responses((status = 200, body = OpenedInviteView), (status = "default", body = Problem)))]
pub async fn open(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    JsonBody(form): JsonBody<StaffLinkRequest>,
) -> ApiResult<Json<OpenedInviteView>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    Ok(Json(state.app.staff.open_invite(&form.code).await?.into()))
}

/// The role that an invite gave.
#[derive(Serialize, ToSchema)]
pub struct AcceptedStaffInvite {
    role: Role,
    stream: Option<StreamId>,
}

/// Accepts an invite, as the account with the address to which it was sent.
#[utoipa::path(post, path = "/v1/staff/invites/accept", operation_id = "accept_invite", tag = "staff",
    request_body = StaffLinkRequest, responses((status = 200, body = AcceptedStaffInvite), (status = "default", body = Problem)))]
pub async fn accept(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    Caller(actor): Caller,
    JsonBody(form): JsonBody<StaffLinkRequest>,
) -> ApiResult<Json<AcceptedStaffInvite>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    let StaffRole { role, stream } = state.app.staff.accept_invite(&actor, &form.code).await?;
    Ok(Json(AcceptedStaffInvite { role, stream }))
}

#[derive(Deserialize, ToSchema)]
pub struct SetStaffRoleRequest {
    /// `owner`, `admin`, `host`, `producer`, `moderator` or `analyst`.
    role: String,
    /// The only show in which the role holds; left out: in the whole shop.
    stream: Option<StreamId>,
}

/// Gives an account a role, in place of the one that it has in the same place. Whoever loses something is signed out everywhere. Only
/// roles below the caller's own can be changed; owners change owners, but the last one stays. Owners and admins only.
#[utoipa::path(put, path = "/v1/staff/{account}", operation_id = "set_role", tag = "staff",
    params(("account" = AccountId, Path)), request_body = SetStaffRoleRequest,
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn set_role(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(account): PathId<AccountId>,
    JsonBody(form): JsonBody<SetStaffRoleRequest>,
) -> ApiResult<StatusCode> {
    let role = parse_role(&form.role)?;
    state.app.staff.set_role(&actor, account, (form.stream, Some(role))).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StaffPlaceQuery {
    /// The show in which the role holds; left out: in the whole shop.
    stream: Option<StreamId>,
}

/// Takes the role of an account away, and signs it out everywhere. Owners and admins only.
#[utoipa::path(delete, path = "/v1/staff/{account}", operation_id = "remove", tag = "staff",
    params(("account" = AccountId, Path), StaffPlaceQuery), responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(account): PathId<AccountId>,
    QueryParams(place): QueryParams<StaffPlaceQuery>,
) -> ApiResult<StatusCode> {
    state.app.staff.set_role(&actor, account, (place.stream, None)).await?;
    Ok(StatusCode::NO_CONTENT)
}
