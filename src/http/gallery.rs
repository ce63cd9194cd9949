//! REST routes of the galleries of products.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody, PathId};
use crate::app::{Error, Gallery};
use crate::domain::{PictureFocus, ProductId, ProductPicture, Refusal};

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
    /// The version of the product.
    pub version: i64,
    pub pictures: Vec<ProductPictureView>,
}

impl GalleryView {
    fn of((version, pictures): Gallery) -> Self {
        let view = |picture: ProductPicture| ProductPictureView {
            address: picture.address,
            alt: picture.alt,
            focus: picture.focus.map(|PictureFocus { x, y }| FocusView { x, y }),
        };
        Self { version, pictures: pictures.into_iter().map(view).collect() }
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
    /// The version of the product on which the change is based.
    version: i64,
    /// At most 12.
    pictures: Vec<ProductPictureRequest>,
}

/// The pictures of a product. Those of an archived product are shown to producers and hosts only.
#[utoipa::path(get, path = "/v1/products/{product}/pictures", tag = "products", params(("product" = ProductId, Path)),
    responses((status = 200, body = GalleryView), (status = "default", body = Problem)))]
pub async fn show_gallery(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(product): PathId<ProductId>,
) -> ApiResult<Json<GalleryView>> {
    Ok(Json(GalleryView::of(state.app.catalogue.gallery(&actor, product).await?)))
}

/// Replaces the pictures of a product. The first becomes its `image`. With another version than the newest the answer is 409
/// `outdated`, and its `current` is the gallery as it is now.
#[utoipa::path(put, path = "/v1/products/{product}/pictures", tag = "products", params(("product" = ProductId, Path)),
    request_body = GalleryRequest,
    responses((status = 200, body = GalleryView), (status = "default", body = Problem)))]
pub async fn set_gallery(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(product): PathId<ProductId>,
    JsonBody(GalleryRequest { version, pictures }): JsonBody<GalleryRequest>,
) -> ApiResult<Json<GalleryView>> {
    let picture = |ProductPictureRequest { address, alt, focus }| ProductPicture {
        address,
        alt,
        focus: focus.map(|PictureFocusRequest { x, y }| PictureFocus { x, y }),
        source: None,
    };
    let pictures = pictures.into_iter().map(picture).collect();
    let catalogue = &state.app.catalogue;
    match catalogue.set_gallery(&actor, product, (version, pictures)).await {
        Ok(gallery) => Ok(Json(GalleryView::of(gallery))),
        Err(Error::Refused(Refusal::Outdated)) => {
            Err(ApiError(Problem::outdated(&GalleryView::of(catalogue.gallery(&actor, product).await?))))
        }
        Err(error) => Err(error.into()),
    }
}
