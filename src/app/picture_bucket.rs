//! Pictures in a bucket of S3, or of another server with its protocol (MinIO, Ceph, R2). `object_store` signs and repeats the requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt, RetryConfig};

use super::picture_storage::{PictureStorage, StorageResult};
use crate::domain::{PictureHash, PictureSize};

/// The deadline of one request, and of all tries of it together.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_TIMEOUT: Duration = Duration::from_secs(8);

#[derive(Clone, Debug)]
pub struct Bucket {
    store: Arc<AmazonS3>,
    prefix: Path,
}

impl PictureStorage {
    /// The bucket of `s3://bucket/prefix`; the variables `AWS_…` say the rest. Nothing is sent yet.
    pub fn s3(url: &str) -> StorageResult<Self> {
        let place = url.strip_prefix("s3://").ok_or("write it like s3://bucket/prefix")?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err("write it like s3://bucket/prefix".to_owned());
        }
        let prefix = Path::parse(prefix.trim_matches('/')).map_err(|error| error.to_string())?;
        // sqlx and redis use the same cryptography. An error says that it was chosen already.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let options = ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(REQUEST_TIMEOUT);
        let options = match std::env::var("AWS_ENDPOINT").is_ok_and(|endpoint| endpoint.starts_with("http://")) {
            true => options.with_allow_http(true),
            false => options,
        };
        let retry = RetryConfig { retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        let store = builder.with_client_options(options).with_retry(retry).build();
        Ok(Self::S3(Bucket { store: Arc::new(store.map_err(|error| error.to_string())?), prefix }))
    }
}

impl Bucket {
    /// The same names as in a folder.
    fn path(&self, hash: PictureHash, size: PictureSize) -> Path {
        let digits = hash.to_string();
        self.prefix.clone().join(&digits[..2]).join(digits.as_str()).join(size.name())
    }

    pub async fn put(&self, hash: PictureHash, files: Vec<(PictureSize, Vec<u8>)>) -> StorageResult<()> {
        for (size, file) in files {
            self.store.put(&self.path(hash, size), file.into()).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    pub async fn get(&self, hash: PictureHash, size: PictureSize) -> StorageResult<Option<Bytes>> {
        match self.store.get(&self.path(hash, size)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(|error| error.to_string()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    pub async fn has(&self, hash: PictureHash) -> StorageResult<bool> {
        for size in PictureSize::ALL {
            match self.store.head(&self.path(hash, size)).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(true)
    }

    pub async fn delete(&self, hash: PictureHash) -> StorageResult<()> {
        for size in PictureSize::ALL {
            match self.store.delete(&self.path(hash, size)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}
