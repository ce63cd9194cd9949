//! The published keys (JWKS) of one source: loaded at start, once a minute, and when a token names a key that is not known.
//!
//! A key set that cannot be read or is not valid changes nothing: the last valid one stays in use, however old it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::TokenAuth;
use super::jwks_fetch::{Fetched, JwksLocation};
use super::key::{VerifyingKey, parse_key_set};
use crate::app::{BackgroundJob, Error, JobSpec, NextRun, Result};
use crate::domain::Role;
use crate::metrics::increment;

const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// Tokens with unknown keys, which anybody can make up, cause at most one fetch in this time.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(10);

/// A file or URL with a key set, and its keys.
pub struct Jwks {
    pub location: JwksLocation,
    max_role: Role,
    keys: RwLock<Arc<Vec<VerifyingKey>>>,
    state: Mutex<FetchState>,
    /// One fetch at a time; who waits for it looks at its result first.
    fetching: Semaphore,
    fetches_failed: AtomicU64,
}

struct FetchState {
    etag: Option<HeaderValue>,
    tried_at: Option<Instant>,
    /// When the source last answered; before that, when this node started.
    answered_at: Instant,
}

impl Jwks {
    /// `max_role`: the highest role that its tokens may have.
    pub fn new(location: JwksLocation, max_role: Role) -> Self {
        Self {
            location,
            max_role,
            keys: RwLock::default(),
            state: Mutex::new(FetchState { etag: None, tried_at: None, answered_at: Instant::now() }),
            fetching: Semaphore::new(1),
            fetches_failed: AtomicU64::new(0),
        }
    }

    pub fn keys(&self) -> Arc<Vec<VerifyingKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Since when the keys have not been confirmed.
    pub fn age(&self) -> Duration {
        self.state(|state| state.answered_at.elapsed())
    }

    fn state<T>(&self, read: impl FnOnce(&mut FetchState) -> T) -> T {
        read(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the source now.
    pub async fn load(&self) -> std::result::Result<(), String> {
        let _permit = self.fetching.acquire().await;
        self.fetch().await
    }

    /// Reads the source because no key fits a token, unless it was read a moment ago. A fetch that is running is waited for.
    pub async fn load_for_unknown_key(&self) {
        let _permit = self.fetching.acquire().await;
        let is_fresh = self.state(|state| state.tried_at.is_some_and(|at| at.elapsed() < UNKNOWN_KEY_PAUSE));
        if !is_fresh {
            // A failure is logged and counted; the token is then refused.
            let _ = self.fetch().await;
        }
    }

    async fn fetch(&self) -> std::result::Result<(), String> {
        let etag = self.state(|state| {
            state.tried_at = Some(Instant::now());
            state.etag.clone()
        });
        let fetched = self.location.fetch(etag.as_ref()).await.and_then(|fetched| match fetched {
            Fetched::New(json, etag) => Ok(Some((parse_key_set(&json, self.max_role)?, etag))),
            Fetched::NotModified => Ok(None),
        });
        match fetched {
            Ok(new) => {
                let etag = new.map(|(keys, etag)| {
                    *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
                    etag
                });
                self.state(|state| {
                    state.answered_at = Instant::now();
                    state.etag = etag.unwrap_or(state.etag.take());
                });
                Ok(())
            }
            Err(why) => {
                increment(&self.fetches_failed);
                tracing::warn!(jwks = %self.location, why, keys = self.keys().len(), "a key set could not be read; the last known keys stay in use");
                Err(why)
            }
        }
    }

    pub fn failures(&self) -> u64 {
        self.fetches_failed.load(Ordering::Relaxed)
    }
}

/// Reads every source once a minute, so that a key that was withdrawn is forgotten.
pub struct JwksJob(pub Arc<TokenAuth>);

impl BackgroundJob for JwksJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("jwks", REFRESH_INTERVAL, Duration::from_secs(30))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let mut has_failed = false;
        for source in self.0.jwks() {
            has_failed |= source.load().await.is_err();
        }
        if has_failed { Err(Error::Unavailable) } else { Ok(NextRun::AfterInterval) }
    }
}
