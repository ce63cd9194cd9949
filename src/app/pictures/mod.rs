//! Pictures that the team uploads: received, converted, stored, served, and deleted when nothing names them any more.
//!
//! The row of a picture is written before its files, so no file is without a row and the job that deletes pictures finds all of them.

mod convert;
mod decode;
mod orientation;
mod orphans;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use super::context::Context;
use super::counters::count_outcome;
use super::error::{Error, Result};
use super::picture_storage::PictureStorage;
use super::stream_cache::StreamCache;
use crate::domain::{Actor, Permission, PictureHash, PictureSize, Refusal};
use crate::store::PictureRow;
use worker::{Worker, on_idle_thread};

pub use convert::convert as convert_picture;
pub use orphans::OrphanPictureJob;
pub use worker::{UPLOADS_MAX, UploadSlot};

/// Files that are kept in memory, because a pinned product is asked for by everybody at once.
const CACHE_BYTES_MAX: u64 = 32 * 1024 * 1024;
const CACHE_FILES: usize = 500;
/// Files that are read at the same time; others wait.
const READS_MAX: usize = 32;
const READ_TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// A file of a picture.
pub type PictureFile = (PictureHash, PictureSize);

#[derive(Clone)]
struct ByBytes;

impl Weighter<PictureFile, Bytes> for ByBytes {
    fn weight(&self, _: &PictureFile, file: &Bytes) -> u64 {
        file.len() as u64
    }
}

pub struct Pictures {
    context: Arc<Context>,
    stream_cache: Arc<StreamCache>,
    /// `None`: this server has no place for pictures.
    storage: Option<PictureStorage>,
    pub worker: Worker,
    files: Cache<PictureFile, Bytes, ByBytes>,
    reads: Semaphore,
}

impl Pictures {
    pub fn new(context: &Arc<Context>, stream_cache: &Arc<StreamCache>) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            stream_cache: stream_cache.clone(),
            storage: context.settings.pictures.clone(),
            worker: Worker::new(),
            files: Cache::with_weighter(CACHE_FILES, CACHE_BYTES_MAX, ByBytes),
            reads: Semaphore::new(READS_MAX),
        })
    }

    fn storage(&self) -> Result<&PictureStorage> {
        self.storage.as_ref().ok_or_else(|| Refusal::PicturesOff.into())
    }

    /// Whether uploads are possible.
    pub fn is_on(&self) -> bool {
        self.storage.is_some()
    }

    /// Begins an upload and checks the permission before the file is received, so that a refused client does not send it.
    pub async fn begin_upload(&self, actor: &Actor) -> Result<UploadSlot> {
        let begun = async {
            self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
            self.storage()?;
            self.worker.take_slot()
        };
        let begun = begun.await;
        if begun.is_err() {
            count_outcome(&self.context.counters.picture_uploads, &begun, |_| "stored");
        }
        begun
    }

    /// Converts and stores a file. The same file again gives the same picture; the flag says that it was there already.
    pub async fn finish_upload(
        self: &Arc<Self>,
        slot: UploadSlot,
        actor: &Actor,
        file: Bytes,
    ) -> Result<(PictureRow, bool)> {
        let (this, by) = (self.clone(), actor.user.clone());
        let work = async move {
            let _slot = slot;
            let (row, is_known) = this.keep(file).await?;
            if !is_known {
                tracing::info!(picture = %row.hash, by = by.as_str(), bytes = row.bytes, "a picture was uploaded");
            }
            Ok((row, is_known))
        };
        let done = self.context.spawn_write(work).await;
        let outcome = |(_, is_known): &(_, bool)| if *is_known { "known" } else { "stored" };
        count_outcome(&self.context.counters.picture_uploads, &done, outcome);
        done
    }

    /// Converts and stores a file in the task of the caller, which must not be cancelled.
    pub async fn keep(&self, file: Bytes) -> Result<(PictureRow, bool)> {
        let storage = self.storage()?;
        let hashed = file.clone();
        let hash = on_idle_thread(move || PictureHash::of(&hashed)).await?.ok_or(Error::Unavailable)?;
        if let Some(known) = self.context.store.keep_picture(hash).await?
            && storage.has(hash).await.map_err(storage_fault)?
        {
            return Ok((known, true));
        }
        let converted = self.worker.convert(file).await?;
        let bytes = converted.files.iter().map(|(_, file)| file.len() as i64).sum();
        let row = PictureRow { hash, width: converted.width.into(), height: converted.height.into(), bytes };
        self.context.store.add_picture(&row).await?;
        storage.put(hash, converted.files).await.map_err(storage_fault)?;
        Ok((row, false))
    }

    /// Counts an upload that ended before its file was here.
    pub fn count_refused(&self, refusal: &Refusal) {
        self.context.counters.picture_uploads.increment(refusal.code());
    }

    /// A file of a picture, from memory or from the storage.
    pub async fn file(&self, file: PictureFile) -> Result<Bytes> {
        let reads = &self.context.counters.picture_reads;
        if let Some(known) = self.files.get(&file) {
            reads.increment("memory");
            return Ok(known);
        }
        let no_such_picture = || Error::from(Refusal::NoSuchPicture);
        let storage = self.storage.as_ref().ok_or_else(no_such_picture)?;
        let turn = tokio::time::timeout(READ_TURN_TIMEOUT, self.reads.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            reads.increment("busy");
            return Err(Refusal::Busy { retry_ms: 1_000 }.into());
        };
        // Somebody who waited before may have read it.
        if let Some(known) = self.files.get(&file) {
            reads.increment("memory");
            return Ok(known);
        }
        match storage.get(file.0, file.1).await {
            Ok(Some(read)) => {
                reads.increment("storage");
                self.files.insert(file, read.clone());
                Ok(read)
            }
            Ok(None) => {
                reads.increment("missing");
                Err(no_such_picture())
            }
            Err(error) => {
                reads.increment("failed");
                Err(storage_fault(error))
            }
        }
    }
}

fn storage_fault(error: String) -> Error {
    tracing::error!(error, "the storage of pictures failed");
    Error::Unavailable
}
