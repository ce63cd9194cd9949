//! The job that works on imports: it checks files, writes products, fetches pictures and changes products back. It works on one import
//! for some seconds, gives it back and takes the next, so a large one does not keep others waiting.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::table::{Found, TableFormat, read_table};
use super::{IDLE_AFTER_MS, Imports};
use crate::app::error::{Error, Result};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::catalogue_file::{CatalogueProduct, FileKind, ParsedProduct, Plan, plan};
use crate::domain::catalogue_import::ImportedProduct;
use crate::domain::{CatalogueImport, ImportId, ImportStatus, ImportedState, Millis, OfferId, ProductId};
use crate::metrics::increment;
use crate::store::{CheckedProduct, ImportWriter};

const INTERVAL: Duration = Duration::from_secs(5);
/// How long a run works on one import before it looks for others.
const TURN: Duration = Duration::from_secs(10);
/// Products that are checked or written together.
const PRODUCTS_PER_BATCH: usize = 100;
/// Rows of the products that are written together: one product may have two thousand.
const ROWS_PER_BATCH: i64 = 500;
/// Imports are forgotten after this time, and with them the way back.
pub const IMPORTS_KEPT_MS: Millis = 30 * 24 * 3_600 * 1_000;
/// One that changed nothing, or nothing any more, is forgotten sooner.
const UNCHANGED_KEPT_MS: Millis = 24 * 3_600 * 1_000;
/// How long an upload may send nothing; then it is given up.
const UPLOAD_GIVEN_UP_MS: Millis = 10 * 60 * 1_000;

pub struct ImportJob(Arc<Imports>);

impl ImportJob {
    pub fn new(imports: Arc<Imports>) -> Self {
        Self(imports)
    }
}

impl BackgroundJob for ImportJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("catalogue_imports", INTERVAL, Duration::from_secs(120))
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.0.wake.clone())
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let store = &self.0.context.store;
        let now = store.now().await?;
        let imports = self.0.clone();
        let forget = async move {
            let (before, unchanged_before) = (now - IMPORTS_KEPT_MS, now - UNCHANGED_KEPT_MS);
            Ok(imports.context.store.forget_imports(before, unchanged_before, now - UPLOAD_GIVEN_UP_MS).await?)
        };
        let has_forgotten = self.0.context.spawn_write(forget).await?;
        let (pending, oldest_ms) = store.import_backlog(now).await?;
        self.0.context.counters.imports_pending.store(pending, Ordering::Relaxed);
        self.0.context.counters.imports_oldest_ms.store(oldest_ms, Ordering::Relaxed);
        let imports = self.0.clone();
        let take = async move { Ok(imports.context.store.take_import(now, now - IDLE_AFTER_MS).await?) };
        let Some(import) = self.0.context.spawn_write(take).await? else {
            return Ok(if has_forgotten { NextRun::Immediately } else { NextRun::AfterInterval });
        };
        let mut turn = Turn { imports: self.0.clone(), import, taken_at: now, until: Instant::now() + TURN };
        turn.work().await?;
        Ok(NextRun::Immediately)
    }
}

/// The work on one import for a while.
pub(super) struct Turn {
    pub imports: Arc<Imports>,
    pub import: CatalogueImport,
    /// By this time the store knows that this node has the import.
    taken_at: Millis,
    until: Instant,
}

impl Turn {
    async fn work(&mut self) -> Result<()> {
        let from = self.import.status;
        let to = match from {
            ImportStatus::Checking => self.check().await?,
            ImportStatus::Applying => self.apply().await?,
            ImportStatus::Fetching => self.fetch_pictures().await?,
            ImportStatus::Undoing => self.undo().await?,
            other => other,
        };
        let (imports, id, mine) = (self.imports.clone(), self.import.id, self.taken_at);
        let leave = async move { Ok(imports.context.store.leave_import(id, mine, (from, to)).await?) };
        self.imports.context.spawn_write(leave).await
    }

    /// Whether to go on: the turn is not over, the server does not stop, and neither the team nor another node has stopped this.
    pub(super) async fn goes_on(&mut self) -> Result<bool> {
        if self.until < Instant::now() || self.imports.context.stop.is_cancelled() {
            return Ok(false);
        }
        self.renew().await
    }

    async fn renew(&mut self) -> Result<bool> {
        let (imports, id, mine) = (self.imports.clone(), self.import.id, self.taken_at);
        let renew = async move {
            // Never the same time twice: the time is what shows whose the import is.
            let now = imports.context.store.now().await?.max(mine + 1);
            Ok(imports.context.store.renew_import(id, (mine, now)).await?.then_some(now))
        };
        let renewed = self.imports.context.spawn_write(renew).await?;
        self.taken_at = renewed.unwrap_or(self.taken_at);
        Ok(renewed.is_some())
    }

    fn decimals(&self) -> usize {
        usize::from(self.imports.context.shop().decimals())
    }

    pub(super) fn writer(&self) -> ImportWriter {
        ImportWriter {
            import: self.import.id,
            shop: self.imports.context.shop().id,
            by: self.import.by.clone(),
            source: self.import.source,
            kind: self.import.kind,
            decimals: self.decimals(),
            fetches_pictures: self.imports.pictures.is_on(),
            taken_at: self.taken_at,
        }
    }

    /// Reads the whole file and compares it with the catalogue. Nothing of the catalogue is changed.
    async fn check(&mut self) -> Result<ImportStatus> {
        let format = TableFormat {
            encoding: self.import.encoding.clone(),
            language: self.import.language,
            decimals: self.decimals(),
        };
        let (part_sender, parts) = mpsc::channel(4);
        let (sender, found) = mpsc::channel(16);
        let read = move || read_table(&format, parts, &sender);
        if let Err(error) = std::thread::Builder::new().name("import".to_owned()).spawn(read) {
            tracing::error!(%error, "a thread for an import could not be started");
            return Err(Error::Unavailable);
        }
        let feeding = feed(self.imports.clone(), self.import.id, part_sender);
        let taking = async {
            // Owned here: when this ends early, the thread notices it and ends too.
            let mut found = found;
            let mut batch = CheckBatch::new(self.decimals());
            loop {
                let next = found.recv().await;
                if batch.is_full() || matches!(next, None | Some(Found::End | Found::Unusable(_))) {
                    self.store_checked(&mut batch).await?;
                    if self.imports.context.stop.is_cancelled() || !self.renew().await? {
                        return Ok((ImportStatus::Checking, String::new()));
                    }
                }
                match next {
                    Some(Found::Kind(kind)) => self.begin_check(kind).await?,
                    Some(Found::Product(product)) => batch.push(*product),
                    Some(Found::Unusable(why)) => return Ok((ImportStatus::Unusable, why)),
                    Some(Found::End) => return Ok((ImportStatus::Ready, String::new())),
                    None => return Err(Error::Unavailable),
                }
            }
        };
        let (is_fed, checked) = tokio::join!(feeding, taking);
        // Otherwise what was read is not the whole file: the check is repeated.
        let (status, why) = if is_fed { checked? } else { return Err(Error::Unavailable) };
        if status == ImportStatus::Unusable {
            self.refuse(why).await?;
        }
        Ok(status)
    }

    async fn begin_check(&mut self, kind: FileKind) -> Result<()> {
        self.import.kind = kind;
        let (imports, id) = (self.imports.clone(), self.import.id);
        self.imports
            .context
            .spawn_write(async move { Ok(imports.context.store.begin_import_check(id, kind).await?) })
            .await
    }

    async fn refuse(&self, why: String) -> Result<()> {
        let (imports, id) = (self.imports.clone(), self.import.id);
        self.imports.context.spawn_write(async move { Ok(imports.context.store.refuse_import(id, &why).await?) }).await
    }

    async fn store_checked(&self, batch: &mut CheckBatch) -> Result<()> {
        let products = std::mem::take(&mut batch.products);
        batch.rows_waiting = 0;
        if products.is_empty() {
            return Ok(());
        }
        let handles: Vec<&str> = products.iter().map(|parsed| parsed.product.handle.as_str()).collect();
        let known = self.imports.context.store.products_by_handle(&handles).await?;
        let (imports, id, kind) = (self.imports.clone(), self.import.id, self.import.kind);
        let first = batch.stored;
        batch.stored += products.len() as i64;
        batch.rows += products.iter().map(|one| one.rows).sum::<u64>() as i64;
        let (rows, decimals) = (batch.rows, batch.decimals);
        let write = async move {
            let checked: Vec<CheckedProduct> = (first..)
                .zip(products)
                .map(|(position, parsed)| checked(position, parsed, &known, (kind, decimals)))
                .collect();
            Ok(imports.context.store.add_checked_products(id, &checked, rows).await?)
        };
        self.imports.context.spawn_write(write).await
    }

    /// Writes products until the turn is over or all are written.
    async fn apply(&mut self) -> Result<ImportStatus> {
        for state in [ImportedState::Create, ImportedState::Change] {
            let mut after = -1;
            loop {
                if !self.goes_on().await? {
                    return Ok(ImportStatus::Applying);
                }
                let products = self.next_products(state, after).await?;
                let Some(last) = products.last() else { break };
                after = last.position;
                let (imports, writer) = (self.imports.clone(), self.writer());
                let written = products.len() as u64;
                let write = async move { Ok(imports.context.store.write_imported(&writer, &products).await?) };
                let outcome = self.imports.context.spawn_write(write).await?;
                self.imports.context.counters.imported_products.fetch_add(written, Ordering::Relaxed);
                self.publish(outcome.changed).await;
            }
        }
        Ok(ImportStatus::Fetching)
    }

    /// As many products as are written together.
    async fn next_products(&self, state: ImportedState, after: i64) -> Result<Vec<ImportedProduct>> {
        let (store, id) = (&self.imports.context.store, self.import.id);
        let mut products = store.import_products(id, state, after, PRODUCTS_PER_BATCH as i64).await?;
        let mut rows = 0;
        let fitting = products.iter().take_while(|product| {
            let fits = rows == 0 || rows + product.rows <= ROWS_PER_BATCH;
            rows += product.rows;
            fits
        });
        let fitting = fitting.count();
        products.truncate(fitting);
        Ok(products)
    }

    pub(super) async fn publish(&self, changed: Vec<(ProductId, Vec<OfferId>)>) {
        for (product, offers) in changed {
            self.imports.catalogue.publish_changed_product(product, &offers).await;
        }
    }

    /// Changes products back until the turn is over or all are as they were.
    async fn undo(&mut self) -> Result<ImportStatus> {
        for state in [ImportedState::Created, ImportedState::Changed] {
            let mut after = -1;
            loop {
                if !self.goes_on().await? {
                    return Ok(ImportStatus::Undoing);
                }
                let products = self.next_products(state, after).await?;
                let Some(last) = products.last() else { break };
                after = last.position;
                let (imports, writer) = (self.imports.clone(), self.writer());
                let undo = async move {
                    let mut changed = Vec::new();
                    for product in &products {
                        changed.extend(imports.context.store.undo_imported(&writer, product).await?);
                    }
                    Ok(changed)
                };
                let changed = self.imports.context.spawn_write(undo).await?;
                self.publish(changed).await;
            }
        }
        increment(&self.imports.context.counters.undone_imports);
        Ok(ImportStatus::Undone)
    }
}

/// Gives the parts of a file to the thread that reads it. `false`: a part could not be read.
async fn feed(imports: Arc<Imports>, id: ImportId, parts: mpsc::Sender<Bytes>) -> bool {
    for n in 0.. {
        match imports.context.store.import_part(id, n).await {
            Ok(Some(part)) => {
                if parts.send(part.into()).await.is_err() {
                    return true;
                }
            }
            Ok(None) => return true,
            Err(error) => {
                tracing::warn!(import = %id, %error, "a part of an imported file could not be read");
                return false;
            }
        }
    }
    true
}

/// Products that were read and are not stored yet.
struct CheckBatch {
    products: Vec<ParsedProduct>,
    rows_waiting: u64,
    decimals: usize,
    stored: i64,
    /// With the names of the columns.
    rows: i64,
}

impl CheckBatch {
    fn new(decimals: usize) -> Self {
        Self { products: Vec::new(), rows_waiting: 0, decimals, stored: 0, rows: 1 }
    }

    fn push(&mut self, product: ParsedProduct) {
        self.rows_waiting += product.rows;
        self.products.push(product);
    }

    fn is_full(&self) -> bool {
        PRODUCTS_PER_BATCH <= self.products.len() || ROWS_PER_BATCH as u64 <= self.rows_waiting
    }
}

/// What the import would do with a product.
fn checked(
    position: i64,
    parsed: ParsedProduct,
    known: &[CatalogueProduct],
    (kind, decimals): (FileKind, usize),
) -> CheckedProduct {
    let ParsedProduct { product, rows, mut problems } = parsed;
    let current = known.iter().find(|one| one.handle == product.handle);
    let planned = plan(kind, &product, current, decimals);
    let (state, changes) = match planned {
        Ok(Plan::Create(_)) => (ImportedState::Create, Vec::new()),
        Ok(Plan::Change(_, changes)) => (ImportedState::Change, changes),
        Ok(Plan::Same) => (ImportedState::Same, Vec::new()),
        Err(problem) => {
            // A cell that could not be read is missing then; it is named already.
            let is_named = problems.iter().any(|one| one.row == problem.row && one.column == problem.column);
            problems.extend((!is_named).then_some(*problem));
            (ImportedState::Bad, Vec::new())
        }
    };
    let is_bad = problems.iter().any(|problem| !problem.code.is_warning());
    let title = product.title.clone().or_else(|| current.map(|one| one.product.title.clone())).unwrap_or_default();
    CheckedProduct {
        position,
        handle: product.handle.clone(),
        title,
        row: product.row,
        rows,
        state: if is_bad { ImportedState::Bad } else { state }.name(),
        problems,
        changes,
        data: product,
    }
}
