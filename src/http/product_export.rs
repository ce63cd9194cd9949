//! The export of the catalogue: a file that can be imported again.

use axum::extract::State;
use axum::response::Response;
use csv::{Terminator, WriterBuilder};

use super::AppState;
use super::error::{ApiResult, Problem};
use super::export_body::{self, ExportFormat, ExportWriter};
use super::extract::{Caller, PathId};
use crate::app::{App, Error};
use crate::domain::catalogue_file::{FileKind, head_row, rows_of};
use crate::domain::{Actor, Refusal};

/// With it spreadsheets read the file as UTF-8.
const UTF8_BOM: &[u8] = "\u{feff}".as_bytes();

/// Exports the whole catalogue, archived products too, oldest first, one row for each variant: `products.csv` in our columns,
/// `products-shopify.csv` in those of Shopify. Amounts have a `.` and all decimals of their currency. An import of the file changes
/// nothing, and an export after it has the same bytes.
#[utoipa::path(get, operation_id = "products_export", path = "/v1/catalogue/{catalogue_file}", tag = "products",
    params(("catalogue_file" = String, Path)),
    responses((status = 200, description = "The file", content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(file): PathId<String>,
) -> ApiResult<Response> {
    let kind = match file.as_str() {
        "products.csv" => FileKind::Simple,
        "products-shopify.csv" => FileKind::Shopify,
        _ => return Err(Refusal::bad_field("file", "must be products.csv or products-shopify.csv.").into()),
    };
    state.app.catalogue.authorize_catalogue(&actor).await?;
    let app = state.app.clone();
    Ok(export_body::respond(&state.app, ExportFormat::Csv, &[], file, |writer| write_export(app, actor, kind, writer)))
}

async fn write_export(app: App, actor: Actor, kind: FileKind, mut writer: ExportWriter) -> Result<(), Error> {
    let decimals = usize::from(app.shop().decimals());
    writer.send([UTF8_BOM, &csv(&[head_row(kind)])].concat()).await?;
    let mut after = None;
    loop {
        // Each page checks the permission again: a user who is banned meanwhile gets no further page.
        let products = app.imports.export_page(&actor, after).await?;
        let Some(last) = products.last() else { return Ok(()) };
        after = Some(last.product.id);
        for product in &products {
            if app.stopping().is_cancelled() {
                return Err(Error::Unavailable);
            }
            writer.send(csv(&rows_of(kind, product, decimals))).await?;
        }
    }
}

/// The rows as bytes of a CSV file (RFC 4180).
fn csv(rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory cannot fail.
    rows.iter().for_each(|row| drop(writer.write_record(row)));
    writer.into_inner().unwrap_or_default()
}
