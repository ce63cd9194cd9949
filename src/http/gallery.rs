//! REST routes of the galleries of products.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::domain::{PictureFocus, ProductId, ProductPicture};

/// The point of a picture that stays in sight when it is cropped, in thousandths of its width and height.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = PictureFocus)]
pub struct FocusView {
    pub x: i64,
    pub y: i64,
}

/// A picture of a product.
#[derive(Serialize, ToSchema)]
#[schema(as = ProductPicture)]
pub struct ProductPictureView {
    pub address: String,
    /// What the picture shows, for those who cannot see it.
    pub alt: Option<String>,
    /// Null: the middle.
    pub focus: Option<FocusView>,
}

/// The pictures of a product in their order; lists and offers show the first.
#[derive(Serialize, ToSchema)]
#[schema(as = Gallery)]
pub struct GalleryView {
    pub pictures: Vec<ProductPictureView>,
}

impl GalleryView {
    fn of(pictures: Vec<ProductPicture>) -> Self {
        let view = |picture: ProductPicture| ProductPictureView {
            address: picture.address,
            alt: picture.alt,
            focus: picture.focus.map(|PictureFocus { x, y }| FocusView { x, y }),
        };
        Self { pictures: pictures.into_iter().map(view).collect() }
    }
}

#[derive(Deserialize, ToSchema)]
pub struct PictureFocusRequest {
    x: i64,
    y: i64,
}

#[derive(Deserialize, ToSchema)]
pub struct ProductPictureRequest {
    /// The `address` of an uploaded picture, or another address.
    address: String,
    /// What the picture shows, at most 200 characters.
    alt: Option<String>,
    focus: Option<PictureFocusRequest>,
}

#[derive(Deserialize, ToSchema)]
pub struct GalleryRequest {
    /// At most 12.
    pictures: Vec<ProductPictureRequest>,
}

/// The pictures of a product.
#[utoipa::path(get, path = "/v1/products/{product}/pictures", tag = "products", params(("product" = ProductId, Path)),
    responses((status = 200, body = GalleryView), (status = "default", body = Problem)))]
pub async fn show_gallery(
    State(state): State<AppState>,
    Caller(_): Caller,
    PathId(product): PathId<ProductId>,
) -> ApiResult<Json<GalleryView>> {
    Ok(Json(GalleryView::of(state.app.catalogue.gallery(product).await?)))
}

/// Replaces the pictures of a product. The first becomes its `image`.
#[utoipa::path(put, path = "/v1/products/{product}/pictures", tag = "products", params(("product" = ProductId, Path)),
    request_body = GalleryRequest,
    responses((status = 200, body = GalleryView), (status = "default", body = Problem)))]
pub async fn set_gallery(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(product): PathId<ProductId>,
    JsonBody(GalleryRequest { pictures }): JsonBody<GalleryRequest>,
) -> ApiResult<Json<GalleryView>> {
    let picture = |ProductPictureRequest { address, alt, focus }| ProductPicture {
        address,
        alt,
        focus: focus.map(|PictureFocusRequest { x, y }| PictureFocus { x, y }),
    };
    let pictures = pictures.into_iter().map(picture).collect();
    Ok(Json(GalleryView::of(state.app.catalogue.set_gallery(&actor, product, pictures).await?)))
}
