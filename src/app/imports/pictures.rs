//! Fetches the pictures of imported products and keeps them like uploaded ones. A product shows the address of the file until then, and
//! goes on to show it if the picture cannot be fetched.

use std::time::Duration;

use super::job::Turn;
use crate::app::error::{Error, Result};
use crate::domain::catalogue_import::ImportedPicture;
use crate::domain::picture::{PICTURE_BYTES_MAX, PictureSize, picture_address};
use crate::domain::{ImportStatus, Refusal};
use crate::metrics::increment;

/// Pictures that are fetched at the same time.
const PICTURES_AT_ONCE: usize = 4;
const DEADLINE: Duration = Duration::from_secs(15);

impl Turn {
    /// Fetches pictures until the turn is over or all are there.
    pub(super) async fn fetch_pictures(&mut self) -> Result<ImportStatus> {
        while self.goes_on().await? {
            let store = &self.imports.context.store;
            let pictures = store.import_pictures(self.import.id, PICTURES_AT_ONCE as i64).await?;
            if pictures.is_empty() {
                return Ok(ImportStatus::Applied);
            }
            let mut fetching = tokio::task::JoinSet::new();
            for picture in pictures {
                let imports = self.imports.clone();
                fetching.spawn(async move {
                    let kept = imports.keep_picture(&picture).await;
                    (picture, kept)
                });
            }
            let mut fault = None;
            // To the end, also after a fault: what is in a task is not cancelled.
            while let Some(fetched) = fetching.join_next().await {
                let Ok((picture, kept)) = fetched else { continue };
                let kept = match kept {
                    Ok(kept) => kept,
                    Err(ours) => {
                        // It passes: the picture stays in the list, and another run tries again.
                        fault = Some(ours);
                        continue;
                    }
                };
                if let Err(why) = &kept {
                    tracing::info!(address = picture.address, why, "a picture of an import was not fetched");
                }
                let (imports, writer) = (self.imports.clone(), self.writer());
                let counters = &self.imports.context.counters;
                increment(if kept.is_ok() { &counters.import_pictures_kept } else { &counters.import_pictures_failed });
                let note = async move {
                    let kept = kept.as_ref().map(String::as_str).map_err(Clone::clone);
                    Ok(imports.context.store.finish_imported_picture(&writer, &picture, kept).await?)
                };
                let changed = self.imports.context.spawn_write(note).await?;
                self.publish(changed.into_iter().collect()).await;
            }
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
        Ok(ImportStatus::Fetching)
    }
}

impl super::Imports {
    /// Fetches a picture and stores it. Gives its address on this server, or what is wrong with the picture; a fault of our own passes.
    async fn keep_picture(&self, picture: &ImportedPicture) -> Result<std::result::Result<String, String>> {
        let file = match self.client.fetch(&picture.address, PICTURE_BYTES_MAX, DEADLINE).await {
            Ok(file) => file,
            Err(error) => return Ok(Err(error.to_string())),
        };
        match self.pictures.keep(file).await {
            Ok((kept, _)) => Ok(Ok(picture_address(kept.hash, PictureSize::Medium))),
            Err(Error::Refused(refusal)) if !matches!(refusal, Refusal::Busy { .. } | Refusal::WrongStatus(_)) => {
                Ok(Err(refusal.to_string()))
            }
            Err(fault) => Err(fault),
        }
    }
}
