//! This node's copy of the revocations of tokens, which every request looks into. `Tokens` keeps it current.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{Actor, TokenRevocations};

/// The revocations that this node knows.
#[derive(Default)]
pub struct RevokedTokenCache(RwLock<CachedRevocations>);

#[derive(Default)]
struct CachedRevocations {
    /// The epoch of the database and the version in it: after a failover, versions may have started again.
    version: (i64, i64),
    revoked: Arc<TokenRevocations>,
}

impl RevokedTokenCache {
    /// Whether this actor's token was revoked.
    pub fn contains(&self, actor: &Actor) -> bool {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        cached.revoked.contains(actor)
    }

    pub fn version(&self) -> (i64, i64) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).version
    }

    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).revoked.len()
    }

    /// Takes what was read at `version`, unless something newer is known.
    pub fn replace(&self, version: (i64, i64), revoked: &Arc<TokenRevocations>) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cached.version <= version {
            *cached = CachedRevocations { version, revoked: revoked.clone() };
        }
    }
}
