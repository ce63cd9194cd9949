//! The policies of the shop, for everybody. Owners and admins write them with the settings of the shop.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::PathId;
use super::page_language::page_language;
use crate::domain::policy::{self, PolicyKind};
use crate::domain::{Language, Refusal, markdown};

/// A policy in one language.
#[derive(Serialize, ToSchema)]
pub struct PolicyView {
    policy: PolicyKind,
    /// The language of the text. It is another one than was asked for, if the policy is not written in that.
    language: Language,
    /// Safe HTML with a fixed set of tags, made from the Markdown of the staff.
    html: String,
}

#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query, which is read with the headers")]
pub struct LanguageQuery {
    /// `en`, `ar` or `id`; left out: the language that the browser prefers.
    lang: Option<String>,
}

/// A policy of the shop (`terms`, `returns`, `privacy`, `contact`), in the language of the reader if it is written in that.
#[utoipa::path(get, operation_id = "shop_policy", path = "/v1/policies/{policy}", tag = "shop",
    params(("policy" = String, Path), LanguageQuery),
    responses((status = 200, body = PolicyView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    PathId(name): PathId<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> ApiResult<Json<PolicyView>> {
    let reader = Language::of_tag(page_language(query.as_deref(), &headers).code);
    let profile = state.app.profile();
    let kind = PolicyKind::parse(&name).ok_or(Refusal::NoSuchPolicy)?;
    let found = policy::read(&profile.policies, kind, reader, profile.language.as_deref());
    let (language, text) = found.ok_or(Refusal::NoSuchPolicy)?;
    Ok(Json(PolicyView { policy: kind, language, html: markdown::to_html(text) }))
}
