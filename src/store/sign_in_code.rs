//! One-time sign-in codes.

use super::{Result, Store};
use crate::domain::sign_in_code::{OPEN_SIGN_IN_CODES_MAX, SIGN_IN_CODE_TTL_MS, SignInCode, SignInCodeHash};
use crate::domain::{Millis, Refusal, UserId};

impl Store {
    /// Stores a code that is valid from now on, and gives the time at which it expires. Refused when the user has the most
    /// open codes that one may have. Codes that have expired are deleted.
    pub async fn create_sign_in_code(
        &self,
        hash: &SignInCodeHash,
        user: &UserId,
        origin: &str,
        sealed_token: &[u8],
    ) -> Result<Millis> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            tx.query("delete from sign_in_codes where expires_at <= $1").bind(now).execute().await?;
            let open = "select cast(count(*) as bigint), min(expires_at) from sign_in_codes where user_id = $1";
            let (open, first_end): (i64, Option<i64>) = tx.query(open).bind(user.as_str()).fetch_one().await?;
            if open >= OPEN_SIGN_IN_CODES_MAX {
                let retry_ms = (first_end.unwrap_or(now) - now).max(1);
                return Err(Refusal::TooManyRequests { retry_ms }.into());
            }
            let expires_at = now + SIGN_IN_CODE_TTL_MS;
            let insert = "insert into sign_in_codes (code_hash, user_id, origin, sealed_token, expires_at)
                values ($1, $2, $3, $4, $5)";
            tx.query(insert)
                .bind(&hash[..])
                .bind(user.as_str())
                .bind(origin)
                .bind(sealed_token)
                .bind(expires_at)
                .execute()
                .await?;
            Ok(expires_at)
        })
        .await
    }

    /// Takes a code out of the store, with the time of the database. Of several callers, on any number of nodes, only one gets
    /// it. `None`: there is no such code.
    pub async fn take_sign_in_code(&self, hash: &SignInCodeHash) -> Result<Option<(SignInCode, Millis)>> {
        // A wrong code costs a read, not a write.
        let find = "select expires_at from sign_in_codes where code_hash = $1";
        if self.query(find).bind(&hash[..]).fetch_optional_value::<i64>().await?.is_none() {
            return Ok(None);
        }
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let take = "delete from sign_in_codes where code_hash = $1 returning origin, sealed_token, expires_at";
            let row: Option<(String, Vec<u8>, i64)> = tx.query(take).bind(&hash[..]).fetch_optional().await?;
            Ok(row.map(|(origin, sealed_token, expires_at)| (SignInCode { origin, sealed_token, expires_at }, now)))
        })
        .await
    }
}
