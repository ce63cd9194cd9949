//! Imports of the catalogue from files, and what its export reads.
//!
//! A file is stored in parts while it arrives. A job checks it without changing anything; the team reads what it found, row by row, and
//! then lets the job apply it. The job works on one import at a time and on any node: what it does is noted with each product.

mod bulk_edit;
mod encoding;
mod job;
mod pictures;
mod table;

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::audit::AuditLog;
use super::catalogue::Catalogue;
use super::context::Context;
use super::error::{Result, as_outcome_unknown};
use super::pictures::Pictures;
use super::stream_cache::StreamCache;
use crate::domain::catalogue_file::{CatalogueProduct, FILE_BYTES_MAX, FileKind};
use crate::domain::catalogue_import::{FILE_NAME_LENGTH_MAX, ImportedProduct, ImportedRows};
use crate::domain::number_text::NumberLanguage;
use crate::domain::{
    Actor, AuditAction, AuditEntry, Author, CatalogueImport, ImportId, ImportSource, ImportStatus, ImportedState,
    Millis, Permission, ProductId, Refusal, text,
};
use crate::guarded_address::GuardedClient;
use encoding::known_encoding;

pub use bulk_edit::BulkResult;
use encoding::EncodingGuess;
pub use job::ImportJob;

/// Files that are received at the same time on this node.
pub const IMPORT_UPLOADS_MAX: usize = 2;
/// The bytes of a file that are stored together.
pub const PART_BYTES: usize = 256 * 1024;
/// How long a node may not say that it works on an import; then it is treated as dead.
pub const IDLE_AFTER_MS: Millis = 60_000;

pub struct Imports {
    context: Arc<Context>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    catalogue: Arc<Catalogue>,
    pictures: Arc<Pictures>,
    client: GuardedClient,
    uploads: Arc<Semaphore>,
    /// Notified when there is an import to work on.
    wake: Arc<Notify>,
}

/// What the sender of a file says about it.
#[derive(Clone, Debug, Default)]
pub struct NewImport {
    pub file_name: String,
    pub language: NumberLanguage,
    /// `None`: it is guessed.
    pub encoding: Option<String>,
    /// The bytes that the sender announced.
    pub announced: Option<usize>,
}

/// A file that is being received.
pub struct ImportUpload {
    imports: Arc<Imports>,
    import: CatalogueImport,
    encoding: Option<String>,
    guess: EncodingGuess,
    part: Vec<u8>,
    parts: i64,
    bytes: usize,
    _place: OwnedSemaphorePermit,
}

impl Imports {
    pub fn new(
        context: &Arc<Context>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
        catalogue: &Arc<Catalogue>,
        pictures: &Arc<Pictures>,
    ) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            stream_cache: stream_cache.clone(),
            audit: audit.clone(),
            catalogue: catalogue.clone(),
            pictures: pictures.clone(),
            client: GuardedClient::new(context.settings.address_guard.clone()),
            uploads: Arc::new(Semaphore::new(IMPORT_UPLOADS_MAX)),
            wake: Arc::default(),
        })
    }

    async fn authorize(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await
    }

    /// Begins to receive a file.
    pub async fn begin_upload(self: &Arc<Self>, actor: &Actor, new: NewImport) -> Result<ImportUpload> {
        self.authorize(actor).await?;
        if new.announced.is_some_and(|bytes| FILE_BYTES_MAX < bytes) {
            return Err(Refusal::ImportTooLarge.into());
        }
        let file_name = text::line(&new.file_name, "name", FILE_NAME_LENGTH_MAX)?;
        if new.encoding.as_deref().is_some_and(|name| known_encoding(name).is_none()) {
            return Err(Refusal::invalid_value("encoding", "is not an encoding that browsers know.").into());
        }
        let place = self.uploads.clone().try_acquire_owned().map_err(|_| Refusal::Busy { retry_ms: 3_000 })?;
        let import = CatalogueImport {
            id: ImportId::new(),
            at: self.context.store.now().await?,
            by: Author::from(actor),
            source: ImportSource::File,
            file_name,
            language: new.language,
            encoding: String::new(),
            kind: FileKind::default(),
            status: ImportStatus::Receiving,
            bytes: 0,
            rows: 0,
            error: String::new(),
            counts: Vec::new(),
            pictures_left: 0,
        };
        let (this, begun) = (self.clone(), import.clone());
        self.context.spawn_write(async move { Ok(this.context.store.begin_import(&begun).await?) }).await?;
        let (encoding, guess, part) = (new.encoding, EncodingGuess::default(), Vec::with_capacity(PART_BYTES));
        Ok(ImportUpload { imports: self.clone(), import, encoding, guess, part, parts: 0, bytes: 0, _place: place })
    }

    pub async fn import(&self, actor: &Actor, id: ImportId) -> Result<CatalogueImport> {
        self.authorize(actor).await?;
        Ok(self.context.store.import(id).await?.ok_or(Refusal::NoSuchImport)?)
    }

    /// The imports of the last time, newest first.
    pub async fn imports(&self, actor: &Actor, after: Option<ImportId>, limit: i64) -> Result<Vec<CatalogueImport>> {
        self.authorize(actor).await?;
        Ok(self.context.store.imports(after, limit).await?)
    }

    /// The products of an import in the order of the file, with their problems and changes.
    pub async fn import_products(
        &self,
        actor: &Actor,
        id: ImportId,
        state: Option<ImportedState>,
        (after, limit): (i64, i64),
    ) -> Result<Vec<ImportedProduct>> {
        self.import(actor, id).await?;
        Ok(self.context.store.list_import_products(id, state, after, limit).await?)
    }

    /// Lets the products of a checked file be written. To ask again changes nothing.
    pub async fn apply(self: &Arc<Self>, actor: &Actor, id: ImportId, rows: ImportedRows) -> Result<CatalogueImport> {
        let import = self.import(actor, id).await?;
        if !import.status.check_apply(rows, import.count(ImportedState::Bad))? {
            self.set_status(actor, &import, ImportStatus::Applying, AuditAction::ImportProducts).await?;
        }
        self.import(actor, id).await
    }

    /// Starts to undo everything that an import did, for the person who made it or an admin. To ask again changes nothing.
    pub async fn undo(self: &Arc<Self>, actor: &Actor, id: ImportId) -> Result<CatalogueImport> {
        let import = self.import(actor, id).await?;
        self.authorize_undo(actor, &import).await?;
        if !import.status.check_undo()? {
            self.set_status(actor, &import, ImportStatus::Undoing, AuditAction::UndoImport).await?;
        }
        self.import(actor, id).await
    }

    async fn authorize_undo(&self, actor: &Actor, import: &CatalogueImport) -> Result<()> {
        if import.by.id == actor.user {
            return Ok(());
        }
        self.stream_cache.authorize_in_shop(actor, Permission::UndoForOthers).await
    }

    /// May this actor undo an import that they see?
    pub async fn may_undo(&self, actor: &Actor, import: &CatalogueImport) -> bool {
        self.authorize_undo(actor, import).await.is_ok()
    }

    async fn set_status(
        self: &Arc<Self>,
        actor: &Actor,
        import: &CatalogueImport,
        to: ImportStatus,
        kind: AuditAction,
    ) -> Result<()> {
        let (id, from) = (import.id, import.status);
        let entry = AuditEntry {
            subject: Some(id.to_string()),
            detail: Some(import.file_name.clone()),
            ..self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, kind)
        };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.set_import_status(id, (from, to), &entry).await?;
                this.wake.notify_one();
                Ok(())
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Stops an import. Products that are written stay; they can be undone.
    pub async fn cancel(self: &Arc<Self>, actor: &Actor, id: ImportId) -> Result<CatalogueImport> {
        let import = self.import(actor, id).await?;
        if !import.status.check_cancel()? {
            let this = self.clone();
            let stop = async move {
                let idle_since = this.context.store.now().await? - IDLE_AFTER_MS;
                Ok(this.context.store.stop_import(id, idle_since).await?)
            };
            self.context.spawn_write(stop).await.map_err(as_outcome_unknown)?;
        }
        self.import(actor, id).await
    }

    /// A page of the catalogue for an export, oldest product first.
    pub async fn export_page(&self, actor: &Actor, after: Option<ProductId>) -> Result<Vec<CatalogueProduct>> {
        self.authorize(actor).await?;
        Ok(self.context.store.products_for_export(after, EXPORTED_TOGETHER).await?)
    }

    /// Files that are received now.
    pub fn uploads(&self) -> usize {
        IMPORT_UPLOADS_MAX - self.uploads.available_permits()
    }
}

/// Products of one page of an export: each may have two thousand variants.
const EXPORTED_TOGETHER: i64 = 50;

impl ImportUpload {
    /// Takes the next bytes of the file.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len();
        if FILE_BYTES_MAX < self.bytes {
            let why = format!("The file has more than {} MB.", FILE_BYTES_MAX / 1_000_000);
            self.give_up(why).await;
            return Err(Refusal::ImportTooLarge.into());
        }
        self.guess.feed(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = rest.len().min(PART_BYTES - self.part.len());
            self.part.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if self.part.len() == PART_BYTES {
                self.store_part().await?;
            }
        }
        Ok(())
    }

    async fn store_part(&mut self) -> Result<()> {
        let part = std::mem::replace(&mut self.part, Vec::with_capacity(PART_BYTES));
        let (imports, id, n) = (self.imports.clone(), self.import.id, self.parts);
        self.parts += 1;
        let store = async move {
            let now = imports.context.now();
            Ok(imports.context.store.add_import_part(id, n, &part, now).await?)
        };
        self.imports.context.spawn_write(store).await
    }

    /// The whole file is there: it is checked by a node.
    pub async fn finish(mut self) -> Result<CatalogueImport> {
        if !self.part.is_empty() {
            self.store_part().await?;
        }
        let guessed = std::mem::take(&mut self.guess).finish();
        let typed = self.encoding.as_deref().and_then(known_encoding).map(|encoding| encoding.name());
        let (imports, id, encoding) = (self.imports.clone(), self.import.id, typed.unwrap_or(guessed));
        let finish = async move {
            imports.context.store.finish_import_upload(id, encoding).await?;
            imports.wake.notify_one();
            Ok(imports.context.store.import(id).await?.ok_or(Refusal::NoSuchImport)?)
        };
        self.imports.context.spawn_write(finish).await
    }

    /// The file did not come whole.
    pub async fn give_up(&self, why: String) {
        let (imports, id) = (self.imports.clone(), self.import.id);
        let refuse = async move { Ok(imports.context.store.refuse_import(id, &why).await?) };
        if let Err(error) = self.imports.context.spawn_write(refuse).await {
            tracing::warn!(import = %id, %error, "an upload that ended early is forgotten later");
        }
    }
}
