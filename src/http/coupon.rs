//! REST routes of the shop's coupons, for the team. Buyers set one by `PUT /v1/orders/{order}`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, given, idempotency_key};
use crate::app::Error;
use crate::domain::{CouponChange, CouponForm, CouponId, Millis, Minor, ProductId, Refusal, StreamId};
use crate::protocol::CouponView;

/// The coupons of the shop, newest first, with the orders that have them so far.
#[utoipa::path(get, operation_id = "shop_list_coupons", path = "/v1/shop/coupons", tag = "shop", params(PageQuery),
    responses((status = 200, body = List<CouponView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<CouponId>,
) -> ApiResult<Json<List<CouponView>>> {
    let coupons = state.app.checkout.coupons(&actor, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(coupons, |coupon| coupon.id)))
}

/// A new coupon. It takes off a part (`percent_bp`) or an `amount`.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"code": "SAVE-10", "percent_bp": 1000}))]
pub struct NewCouponRequest {
    /// 3 to 32 letters and digits; spaces and signs between them are not compared. No other coupon that was not ended may have it.
    #[schema(max_length = 40)]
    code: String,
    /// In basis points: 1000 is 10 %.
    percent_bp: Option<i64>,
    /// In minor units; of products that cost less it takes off all. In currencies with three decimals the last must be 0.
    amount: Option<Minor>,
    /// Left out: now.
    starts_at: Option<Millis>,
    /// From this time on it takes nothing off; left out: it has no end.
    ends_at: Option<Millis>,
    /// Orders that can have it; left out: any number.
    quota: Option<i64>,
    /// Orders of one person that can have it; left out: 1.
    per_person: Option<i64>,
    /// What the products that it counts for must cost together, in minor units; left out: anything.
    minimum: Option<Minor>,
    /// At most 100 products that it counts for; left out or empty: all.
    #[serde(default)]
    products: Vec<ProductId>,
    /// The one show in which it counts; left out: every show.
    stream: Option<StreamId>,
}

/// Makes a coupon. A retry with the same key gives the same one.
#[utoipa::path(post, operation_id = "shop_create_coupon", path = "/v1/shop/coupons", tag = "shop",
    params(("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    request_body = NewCouponRequest, responses((status = 201, body = CouponView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    headers: HeaderMap,
    JsonBody(form): JsonBody<NewCouponRequest>,
) -> ApiResult<(StatusCode, Json<CouponView>)> {
    // Authorization comes before validation: a refused caller learns nothing about the form.
    state.app.checkout.authorize_coupons(&actor).await?;
    let key = idempotency_key(&headers)?;
    let NewCouponRequest { code, percent_bp, amount, starts_at, ends_at, quota, per_person, minimum, products, stream } =
        form;
    let form =
        CouponForm { code, percent_bp, amount, starts_at, ends_at, quota, per_person, minimum, products, stream };
    Ok((StatusCode::CREATED, Json(state.app.checkout.create_coupon(&actor, form, key).await?)))
}

/// One coupon of the shop.
#[utoipa::path(get, operation_id = "shop_coupon", path = "/v1/shop/coupons/{coupon}", tag = "shop",
    params(("coupon" = CouponId, Path)), responses((status = 200, body = CouponView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(coupon): PathId<CouponId>,
) -> ApiResult<Json<CouponView>> {
    Ok(Json(state.app.checkout.coupon(&actor, coupon).await?))
}

/// What is left out stays as it is. What a coupon takes off never changes: end it, and make another one.
#[derive(Deserialize, ToSchema)]
pub struct ChangeCouponRequest {
    /// The `version` that the change is based on.
    version: i64,
    /// Null: it has no end.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    ends_at: Option<Option<Millis>>,
    /// Not less than its `uses`. Null: any number.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    quota: Option<Option<i64>>,
    per_person: Option<i64>,
    /// True ends it at once and permanently; its code can be given to another one. Orders that have it and are not paid lose the discount.
    #[serde(default)]
    ended: bool,
}

/// Changes a coupon, or ends it. With another version than the newest the answer is 409 `outdated`, and its `current` is the coupon as it
/// is now.
#[utoipa::path(patch, operation_id = "shop_change_coupon", path = "/v1/shop/coupons/{coupon}", tag = "shop",
    params(("coupon" = CouponId, Path)), request_body = ChangeCouponRequest,
    responses((status = 200, body = CouponView), (status = "default", body = Problem)))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(coupon): PathId<CouponId>,
    JsonBody(form): JsonBody<ChangeCouponRequest>,
) -> ApiResult<Json<CouponView>> {
    let ChangeCouponRequest { version, ends_at, quota, per_person, ended } = form;
    let change = CouponChange { version, ends_at, quota, per_person, is_ended: ended };
    match state.app.checkout.change_coupon(&actor, coupon, change).await {
        Ok(changed) => Ok(Json(changed)),
        Err(Error::Refused(Refusal::Outdated)) => {
            Err(ApiError(Problem::outdated(&state.app.checkout.coupon(&actor, coupon).await?)))
        }
        Err(error) => Err(error.into()),
    }
}
