//! Requests of the team with an idempotency key: a change that adds something is made once, however often it is requested.

use uuid::Uuid;

use super::transaction::Transaction;
use super::{Error, Result};
use crate::domain::{IdempotencyKey, Refusal, RequestHash, UserId};

/// Who requests a change, with which key, and a hash of what is requested.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    pub user: UserId,
    pub verb: &'static str,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
}

impl Transaction<'_> {
    /// Takes the key for a change of the object `subject`, as the first statement of the transaction: a second request with
    /// this key waits here until the first has ended. Gives `None` if the key is new, otherwise the object of the change that
    /// was made with it. Refused if the key was used for another request. Without a request there is nothing to take.
    pub(super) async fn take_key(&mut self, request: Option<&KeyedRequest>, subject: Uuid) -> Result<Option<Uuid>> {
        let Some(request) = request else { return Ok(None) };
        let now = self.now().await?;
        let insert = "insert into idempotency_keys (buyer, verb, key, hash, subject_id, code, created_at)
            values ($1, $2, $3, $4, $5, null, $6) on conflict (buyer, verb, key) do nothing";
        let taken = self
            .query(insert)
            .bind(request.user.as_str())
            .bind(request.verb)
            .bind(request.key.as_str())
            .bind(&request.hash[..])
            .bind(subject)
            .bind(now)
            .execute()
            .await?;
        if taken > 0 {
            return Ok(None);
        }
        let read = "select hash, subject_id from idempotency_keys where buyer = $1 and verb = $2 and key = $3";
        let query = self.query(read).bind(request.user.as_str()).bind(request.verb).bind(request.key.as_str());
        let (hash, earlier): (Vec<u8>, Uuid) = query.fetch_one().await?;
        if hash == request.hash { Ok(Some(earlier)) } else { Err(Error::Refused(Refusal::KeyReused)) }
    }
}
