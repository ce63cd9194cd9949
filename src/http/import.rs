//! REST routes of imports: a file is uploaded, checked, applied, and undone.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use uuid::Uuid;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use crate::app::NewImport;
use crate::domain::catalogue_file::{FieldChange, FileKind, FileProblem, FileProblemCode};
use crate::domain::catalogue_import::{ImportedProduct, ImportedRows};
use crate::domain::number_text::NumberLanguage;
use crate::domain::{
    Actor, CatalogueImport, ImportId, ImportSource, ImportStatus, ImportedState, Millis, ProductId, Refusal,
};

/// How long a client may send nothing in the middle of a file.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a whole file may take: 100 MB over a line of one megabit a second.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// A CSV file, at most 100 MB.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "it represents the bytes in the document")]
pub struct ImportFileRequest(Vec<u8>);

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// The name of the file, for the list of imports; `products.csv` if it is left out.
    file_name: Option<String>,
    /// How the file writes numbers: `en` 1,500.25 (the default), `ar` also ١٬٥٠٠٫٢٥, `id` 1.500,25.
    #[param(inline)]
    numbers: Option<NumberLanguage>,
    /// The encoding, as browsers call it, for example `windows-1256`. Left out: it is guessed from the bytes.
    encoding: Option<String>,
}

/// How many products of an import are in each state.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportCounts)]
pub struct ImportCountsView {
    pub create: i64,
    pub change: i64,
    pub same: i64,
    pub bad: i64,
    pub created: i64,
    pub changed: i64,
    pub refused: i64,
    pub undone: i64,
    pub kept: i64,
}

/// An import of the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = Import)]
pub struct ImportView {
    pub id: ImportId,
    pub at: Millis,
    /// Empty once the data of the user was erased.
    pub by_name: String,
    /// A bulk edit of products is kept like the import of a file.
    pub source: ImportSource,
    /// Of another source than a file: the name of the source.
    pub file_name: String,
    pub kind: FileKind,
    pub numbers: NumberLanguage,
    /// Empty until the file is here.
    pub encoding: String,
    pub status: ImportStatus,
    pub bytes: i64,
    /// Rows that were read so far.
    pub rows: i64,
    /// Why the file cannot be used; else empty.
    pub error: String,
    /// Not in lists.
    pub counts: Option<ImportCountsView>,
    /// Pictures that are still to be fetched; not in lists.
    pub pictures_left: Option<i64>,
    /// Whether the caller may undo it: who made it may, and admins. Not in lists.
    pub can_undo: Option<bool>,
}

/// An import as this caller sees it.
async fn view(state: &AppState, actor: &Actor, import: CatalogueImport) -> Json<ImportView> {
    let can_undo = state.app.imports.may_undo(actor, &import).await;
    Json(ImportView { can_undo: Some(can_undo), ..ImportView::of(import) })
}

impl ImportView {
    fn of(import: CatalogueImport) -> Self {
        let count = |state| import.count(state);
        let counts = ImportCountsView {
            create: count(ImportedState::Create),
            change: count(ImportedState::Change),
            same: count(ImportedState::Same),
            bad: count(ImportedState::Bad),
            created: count(ImportedState::Created),
            changed: count(ImportedState::Changed),
            refused: count(ImportedState::Refused),
            undone: count(ImportedState::Undone),
            kept: count(ImportedState::Kept),
        };
        let pictures_left = Some(import.pictures_left);
        Self { counts: Some(counts), pictures_left, ..Self::in_list(import) }
    }

    fn in_list(import: CatalogueImport) -> Self {
        Self {
            id: import.id,
            at: import.at,
            by_name: import.by.name,
            source: import.source,
            file_name: import.file_name,
            kind: import.kind,
            numbers: import.language,
            encoding: import.encoding,
            status: import.status,
            bytes: import.bytes,
            rows: import.rows,
            error: import.error,
            counts: None,
            pictures_left: None,
            can_undo: None,
        }
    }
}

/// Something that is wrong with a cell.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportProblem)]
pub struct ImportProblemView {
    /// The row of the file; that with the names of the columns is 1.
    pub row: u64,
    /// The name of the column; empty: the whole row.
    pub column: String,
    pub code: FileProblemCode,
    pub message: String,
    /// The product is imported all the same.
    pub is_warning: bool,
}

impl From<FileProblem> for ImportProblemView {
    fn from(FileProblem { row, column, code, message }: FileProblem) -> Self {
        Self { row, column, code, message, is_warning: code.is_warning() }
    }
}

/// A value that differs from that of the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportChange)]
pub struct ImportChangeView {
    pub row: u64,
    pub column: String,
    pub before: String,
    pub after: String,
    /// The variant, in a bulk edit of a product that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A product of an import.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedProduct)]
pub struct ImportedProductView {
    /// Its place among the products of the file.
    pub position: i64,
    pub handle: String,
    pub title: String,
    /// The first of its rows.
    pub row: i64,
    pub rows: i64,
    pub state: ImportedState,
    pub problems: Vec<ImportProblemView>,
    pub changes: Vec<ImportChangeView>,
    /// The product, once it was written.
    pub product: Option<ProductId>,
}

impl From<ImportedProduct> for ImportedProductView {
    fn from(imported: ImportedProduct) -> Self {
        let change = |FieldChange { row, column, before, after, variant }| ImportChangeView {
            row,
            column,
            before,
            after,
            variant,
        };
        Self {
            position: imported.position,
            handle: imported.handle,
            title: imported.title,
            row: imported.row,
            rows: imported.rows,
            state: imported.state,
            problems: imported.problems.into_iter().map(ImportProblemView::from).collect(),
            changes: imported.changes.into_iter().map(change).collect(),
            product: imported.product,
        }
    }
}

/// Uploads a file of products: the body is the CSV file itself, in Shopify's columns or in ours, with `,`, `;`, tab or `|` between the
/// cells. It is checked in the background; nothing of the catalogue is changed before it is applied.
#[utoipa::path(post, operation_id = "upload_import", path = "/v1/imports", tag = "products", params(ImportQuery),
    request_body(content = ImportFileRequest, content_type = "application/octet-stream"),
    responses((status = 201, body = ImportView), (status = "default", body = Problem)))]
pub async fn upload(
    State(state): State<AppState>,
    Caller(actor): Caller,
    QueryParams(query): QueryParams<ImportQuery>,
    request: Request,
) -> ApiResult<(StatusCode, Json<ImportView>)> {
    let ImportQuery { file_name, numbers, encoding } = query;
    let file_name = file_name.unwrap_or_else(|| "products.csv".to_owned());
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse().ok());
    let new = NewImport { file_name, language: numbers.unwrap_or_default(), encoding, announced };
    let mut upload = state.app.imports.begin_upload(&actor, new).await?;
    let deadline = Instant::now() + UPLOAD_TIMEOUT;
    let mut body: Body = request.into_body();
    loop {
        let broken = match timeout_at(deadline.min(Instant::now() + CHUNK_TIMEOUT), body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                if let Some(chunk) = frame.data_ref() {
                    upload.push(chunk).await?;
                }
                continue;
            }
            Ok(Some(Err(_))) => "The file could not be received.",
            Err(_) => "The file did not arrive in time.",
        };
        upload.give_up(broken.to_owned()).await;
        return Err(Refusal::bad_request(broken).into());
    }
    Ok((StatusCode::CREATED, view(&state, &actor, upload.finish().await?).await))
}

/// The imports of the last 30 days, newest first.
#[utoipa::path(get, operation_id = "list_imports", path = "/v1/imports", tag = "products", params(PageQuery),
    responses((status = 200, body = List<ImportView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<ImportId>,
) -> ApiResult<Json<List<ImportView>>> {
    let imports = state.app.imports.imports(&actor, page.after, page.fetch_limit()).await?;
    let imports = imports.into_iter().map(ImportView::in_list).collect();
    Ok(Json(page.to_list(imports, |import| import.id)))
}

/// An import: how far it is, and how many products are in which state.
#[utoipa::path(get, operation_id = "show_import", path = "/v1/imports/{import}", tag = "products", params(("import" = ImportId, Path)),
    responses((status = 200, body = ImportView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(import): PathId<ImportId>,
) -> ApiResult<Json<ImportView>> {
    let import = state.app.imports.import(&actor, import).await?;
    Ok(view(&state, &actor, import).await)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportedProductQuery {
    /// Only products in this state.
    #[param(inline)]
    state: Option<ImportedState>,
}

/// The products of an import in the order of the file: what will be done with each, what is wrong in which row and column, and which
/// values differ from those of the catalogue.
#[utoipa::path(get, operation_id = "show_imported_products", path = "/v1/imports/{import}/products", tag = "products",
    params(("import" = ImportId, Path), ImportedProductQuery, PageQuery),
    responses((status = 200, body = List<ImportedProductView>), (status = "default", body = Problem)))]
pub async fn products(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(import): PathId<ImportId>,
    page: PageRequest<Uuid>,
    QueryParams(query): QueryParams<ImportedProductQuery>,
) -> ApiResult<Json<List<ImportedProductView>>> {
    // Pages continue after an id everywhere: here it is the place of a product in the file.
    let after = page.after.map_or(-1, |id| i64::try_from(id.as_u128()).unwrap_or(i64::MAX));
    let place = (after, page.fetch_limit());
    let products = state.app.imports.import_products(&actor, import, query.state, place).await?;
    let products = products.into_iter().map(ImportedProductView::from).collect();
    Ok(Json(
        page.to_list(products, |product: &ImportedProductView| Uuid::from_u128(product.position.unsigned_abs().into())),
    ))
}

#[derive(Deserialize, ToSchema)]
pub struct ApplyImportRequest {
    /// `all`: refused if the file has a product that cannot be imported; `good`: such products are left out.
    rows: ImportedRows,
}

/// Writes the products of a checked file, in the background. To ask again changes nothing.
#[utoipa::path(post, operation_id = "apply_import", path = "/v1/imports/{import}/apply", tag = "products", params(("import" = ImportId, Path)),
    request_body = ApplyImportRequest,
    responses((status = 200, body = ImportView), (status = "default", body = Problem)))]
pub async fn apply(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(import): PathId<ImportId>,
    JsonBody(ApplyImportRequest { rows }): JsonBody<ApplyImportRequest>,
) -> ApiResult<Json<ImportView>> {
    let import = state.app.imports.apply(&actor, import, rows).await?;
    Ok(view(&state, &actor, import).await)
}

/// Stops an import. What is written stays; it can be undone.
#[utoipa::path(post, operation_id = "cancel_import", path = "/v1/imports/{import}/cancel", tag = "products", params(("import" = ImportId, Path)),
    responses((status = 200, body = ImportView), (status = "default", body = Problem)))]
pub async fn cancel(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(import): PathId<ImportId>,
) -> ApiResult<Json<ImportView>> {
    let import = state.app.imports.cancel(&actor, import).await?;
    Ok(view(&state, &actor, import).await)
}

/// Changes everything back that an import did: its new products are archived, and those that it changed are as before. A product that
/// somebody changed since stays, and says so. For who made it, and for admins.
#[utoipa::path(post, operation_id = "undo_import", path = "/v1/imports/{import}/undo", tag = "products", params(("import" = ImportId, Path)),
    responses((status = 200, body = ImportView), (status = "default", body = Problem)))]
pub async fn undo(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(import): PathId<ImportId>,
) -> ApiResult<Json<ImportView>> {
    let import = state.app.imports.undo(&actor, import).await?;
    Ok(view(&state, &actor, import).await)
}
