//! Uploading pictures, and serving them.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::Caller;
use crate::domain::picture::{PICTURE_BYTES_MAX, picture_address};
use crate::domain::{PictureHash, PictureSize, Refusal};

/// How long a client may send nothing in the middle of a file.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(20);

/// The file of a picture: JPEG, PNG or WebP, at most 15 MB and 50 megapixels.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "it represents the bytes in the document")]
pub struct PictureFileRequest(Vec<u8>);

/// An uploaded picture.
#[derive(Serialize, ToSchema)]
#[schema(as = Picture)]
pub struct PictureView {
    /// What a product or a show takes as its picture, without the path of the shop. The same picture is there in other sizes under the
    /// same address with another last part: `1600`, `800` or `200` pixels for the longer side.
    #[schema(example = "/pictures/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/800")]
    pub address: String,
    /// Of the largest size, in pixels.
    pub width: i64,
    pub height: i64,
    /// The size of all its files together, in bytes.
    pub bytes: i64,
}

/// Uploads a picture. The body is the file itself: JPEG, PNG or WebP. The server turns it upright, drops what the camera wrote beside the
/// pixels, and keeps it in three sizes. The same file again gives the same picture (200). What no product and no show names is deleted
/// after a day. The kind is that of the bytes, whatever the content type says.
#[utoipa::path(post, path = "/v1/pictures", tag = "products",
    request_body(content = PictureFileRequest, content_type = "application/octet-stream"),
    responses((status = 201, body = PictureView), (status = 200, body = PictureView), (status = "default", body = Problem)))]
pub async fn upload(
    State(state): State<AppState>,
    Caller(actor): Caller,
    request: Request,
) -> ApiResult<(StatusCode, Json<PictureView>)> {
    let pictures = &state.app.pictures;
    let slot = pictures.begin_upload(&actor).await?;
    let file = receive(request).await.inspect_err(|refusal| pictures.count_refused(refusal))?;
    let (picture, is_known) = pictures.finish_upload(slot, &actor, file).await?;
    let view = PictureView {
        address: picture_address(picture.hash, PictureSize::Medium),
        width: picture.width,
        height: picture.height,
        bytes: picture.bytes,
    };
    Ok((if is_known { StatusCode::OK } else { StatusCode::CREATED }, Json(view)))
}

/// Receives a file, at most as much as a picture may have.
async fn receive(request: Request) -> Result<Bytes, Refusal> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > PICTURE_BYTES_MAX) {
        return Err(Refusal::PictureTooLarge);
    }
    let mut body: Body = request.into_body();
    let mut file = Vec::new();
    loop {
        let frame = tokio::time::timeout(CHUNK_TIMEOUT, body.frame()).await;
        let frame = frame.map_err(|_| Refusal::bad_request("The file did not arrive in time."))?;
        let Some(frame) = frame else { return Ok(file.into()) };
        let frame = frame.map_err(|_| Refusal::bad_request("The file could not be received."))?;
        if let Some(chunk) = frame.data_ref() {
            if file.len() + chunk.len() > PICTURE_BYTES_MAX {
                return Err(Refusal::PictureTooLarge);
            }
            file.extend_from_slice(chunk);
        }
    }
}

/// A file is a picture and nothing else, also when somebody opens its address in a browser.
const FILE_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// An address never changes its content.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A picture in one of its sizes: `/pictures/{picture}/800`.
pub async fn file(
    State(state): State<AppState>,
    Path((picture, size)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let named = PictureHash::parse(&picture).zip(PictureSize::parse(&size)).ok_or(Refusal::NoSuchPicture)?;
    let tag = format!("\"{}-{}\"", &picture[..16], named.1.name());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let file = state.app.pictures.file(named).await?;
        let kind = if file.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], file).into_response()
    };
    let mut set = |name: HeaderName, value: HeaderValue| response.headers_mut().insert(name, value);
    set(header::CACHE_CONTROL, FOREVER);
    set(header::CONTENT_SECURITY_POLICY, FILE_POLICY);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        set(header::ETAG, tag);
    }
    Ok(response)
}
