//! Where the files of pictures are: in a folder, or in a bucket of S3 (feature `s3`).
//!
//! A folder is our own code, because it needs nothing but the standard library; the client of S3 is `object_store`, which brings an
//! HTTP client, so only a build with the feature pays for it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use crate::domain::{PictureHash, PictureSize};

/// The deadline of one file. Nobody waits longer for a picture.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub enum PictureStorage {
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    S3(super::picture_bucket::Bucket),
}

/// What went wrong, for the log.
pub type StorageResult<T> = Result<T, String>;

impl PictureStorage {
    /// A folder, which is made if it is missing. The folder around it must be there: one that is misspelled, or whose disk is not mounted,
    /// must not come into being. Fails if nothing can be written there.
    pub fn folder(path: PathBuf) -> StorageResult<Self> {
        let problem = |error: std::io::Error| format!("{}: {error}", path.display());
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(problem(error)),
            _ => {}
        }
        tempfile_in(&path).and_then(|(probe, _)| std::fs::remove_file(probe)).map_err(problem)?;
        Ok(Self::Folder(path))
    }

    /// Writes the files of a picture. When this returns, they survive a crash of the machine. Writing them again does no harm.
    pub async fn put(&self, hash: PictureHash, files: Vec<(PictureSize, Vec<u8>)>) -> StorageResult<()> {
        match self {
            Self::Folder(root) => {
                let folder = picture_folder(root, hash);
                blocking(move || write_files(&folder, &files)).await
            }
            #[cfg(feature = "s3")]
            Self::S3(bucket) => in_time(bucket.put(hash, files)).await,
        }
    }

    /// Reads a file; `None`: there is no such picture.
    pub async fn get(&self, hash: PictureHash, size: PictureSize) -> StorageResult<Option<Bytes>> {
        match self {
            Self::Folder(root) => {
                let path = picture_folder(root, hash).join(size.name());
                blocking(move || match std::fs::read(path) {
                    Ok(file) => Ok(Some(file.into())),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                })
                .await
            }
            #[cfg(feature = "s3")]
            Self::S3(bucket) => in_time(bucket.get(hash, size)).await,
        }
    }

    /// Whether every size of a picture is there.
    pub async fn has(&self, hash: PictureHash) -> StorageResult<bool> {
        match self {
            Self::Folder(root) => {
                let folder = picture_folder(root, hash);
                blocking(move || Ok(PictureSize::ALL.iter().all(|size| folder.join(size.name()).is_file()))).await
            }
            #[cfg(feature = "s3")]
            Self::S3(bucket) => in_time(bucket.has(hash)).await,
        }
    }

    /// Deletes the files of a picture. To delete it again is no error.
    pub async fn delete(&self, hash: PictureHash) -> StorageResult<()> {
        match self {
            Self::Folder(root) => {
                let folder = picture_folder(root, hash);
                blocking(move || match std::fs::remove_dir_all(folder) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                })
                .await
            }
            #[cfg(feature = "s3")]
            Self::S3(bucket) => in_time(bucket.delete(hash)).await,
        }
    }
}

/// A folder for each picture, below one of 256, so that no folder has more entries than people and tools like to list.
fn picture_folder(root: &Path, hash: PictureHash) -> PathBuf {
    let digits = hash.to_string();
    root.join(&digits[..2]).join(digits)
}

/// A new file with a name of its own.
fn tempfile_in(folder: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let path = folder.join(format!(".new-{:016x}", rand::random::<u64>()));
    let file = std::fs::File::create_new(&path)?;
    Ok((path, file))
}

/// Each file appears whole or not at all, also when two nodes write it at once.
fn write_files(folder: &Path, files: &[(PictureSize, Vec<u8>)]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (size, content) in files {
        let (path, mut file) = tempfile_in(folder)?;
        let written = file.write_all(content).and_then(|()| file.sync_all());
        if let Err(error) = written.and_then(|()| std::fs::rename(&path, folder.join(size.name()))) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
    }
    // The names, too.
    std::fs::File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> StorageResult<T> {
    let work = tokio::task::spawn_blocking(work);
    in_time(async { work.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string()) }).await
}

async fn in_time<T>(work: impl Future<Output = StorageResult<T>>) -> StorageResult<T> {
    let done = tokio::time::timeout(STORAGE_TIMEOUT, work).await;
    done.unwrap_or_else(|_| Err(format!("no answer within {} s", STORAGE_TIMEOUT.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_of_a_picture_are_there_until_they_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let storage = PictureStorage::folder(folder.path().join("pictures")).unwrap();
        let hash = PictureHash::of(b"one");
        let files = |text: &str| PictureSize::ALL.map(|size| (size, text.as_bytes().to_vec())).to_vec();
        assert_eq!(storage.get(hash, PictureSize::Small).await, Ok(None));
        assert_eq!((storage.has(hash).await, storage.delete(hash).await), (Ok(false), Ok(())));
        storage.put(hash, files("a")[..2].to_vec()).await.unwrap();
        assert_eq!(storage.has(hash).await, Ok(false), "one size is missing");
        storage.put(hash, files("b")).await.unwrap();
        assert_eq!(storage.get(hash, PictureSize::Small).await, Ok(Some(Bytes::from_static(b"b"))));
        let left = std::fs::read_dir(picture_folder(&folder.path().join("pictures"), hash)).unwrap().count();
        assert_eq!((storage.has(hash).await, left), (Ok(true), 3), "no temporary file is left");
        storage.delete(hash).await.unwrap();
        assert_eq!(storage.get(hash, PictureSize::Small).await, Ok(None));
    }

    #[tokio::test]
    async fn folder_that_cannot_be_written_is_refused_at_the_start_and_named_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "no folder").unwrap();
        assert!(PictureStorage::folder(file.clone()).unwrap_err().contains("file"));
        let misspelled = folder.path().join("misspelled");
        assert!(PictureStorage::folder(misspelled.join("pictures")).is_err() && !misspelled.exists());
        assert!(PictureStorage::Folder(file).put(PictureHash::of(b"one"), Vec::new()).await.is_err());
    }
}
