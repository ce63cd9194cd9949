//! Revocations of tokens, as admins see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Author, Millis, RevokedTokens, TokenRevocation, TokenRevocationId, UserId};

/// Tokens that are refused although they are signed and in time.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = TokenRevocation)]
pub struct TokenRevocationView {
    pub id: TokenRevocationId,
    /// The user whose tokens are refused; null if it is about one token.
    pub user: Option<UserId>,
    /// With `user`: tokens that were issued before this time are refused, and tokens without `iat`.
    pub not_before: Option<Millis>,
    /// The `jti` of the token that is refused; null if it is about a user.
    #[schema(min_length = 1, max_length = 256)]
    pub jti: Option<String>,
    /// When it is forgotten: by then every token that it is about has expired.
    pub expires_at: Millis,
    pub created_at: Millis,
    pub by: Author,
    pub reason: Option<String>,
}

impl From<TokenRevocation> for TokenRevocationView {
    fn from(revocation: TokenRevocation) -> Self {
        let TokenRevocation { id, tokens, expires_at, created_at, by, reason } = revocation;
        let (user, not_before, jti) = match tokens {
            RevokedTokens::OfUser { user, not_before } => (Some(user), Some(not_before), None),
            RevokedTokens::One { jti } => (None, None, Some(jti)),
        };
        Self { id, user, not_before, jti, expires_at, created_at, by, reason }
    }
}
