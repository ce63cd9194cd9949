//! Requests of the team with an idempotency key: a change that adds something is made once, however often it is requested.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::transaction::Transaction;
use super::{Error, Result, Store};
use crate::domain::product_change::ChangeAuthor;
use crate::domain::{AuditEntry, IdempotencyKey, Refusal, RequestHash, UserId};

/// Who requests a change, with which key, and a hash of what is requested.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    pub user: UserId,
    /// The user's name, for logs of what changed.
    pub name: String,
    pub verb: &'static str,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    /// Written with the change, if the request is carried out now: a retry of a request whose reply was lost cannot write it.
    pub entry: Option<AuditEntry>,
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
            if let Some(entry) = &request.entry {
                insert_audit_entry(self, entry).await?;
            }
            return Ok(None);
        }
        let query = self.query(FIND_KEY).bind(request.user.as_str()).bind(request.verb).bind(request.key.as_str());
        let (hash, earlier): (Vec<u8>, Uuid) = query.fetch_one().await?;
        request.check(&hash).map(|()| Some(earlier))
    }
}

impl Store {
    /// The object of the change that was made with this key. `None`: none was made. Refused if the key was used for another
    /// request.
    pub async fn earlier_result(&self, request: &KeyedRequest) -> Result<Option<Uuid>> {
        let query = self.query(FIND_KEY).bind(request.user.as_str()).bind(request.verb).bind(request.key.as_str());
        let found: Option<(Vec<u8>, Uuid)> = query.fetch_optional().await?;
        found.map(|(hash, earlier)| request.check(&hash).map(|()| earlier)).transpose()
    }
}

impl KeyedRequest {
    pub(super) fn author(&self) -> ChangeAuthor {
        ChangeAuthor { user: self.user.clone(), name: self.name.clone() }
    }

    /// Refused if the key was used for another request, whose hash this is.
    fn check(&self, hash: &[u8]) -> Result<()> {
        if hash == self.hash { Ok(()) } else { Err(Error::Refused(Refusal::KeyReused)) }
    }
}

const FIND_KEY: &str = "select hash, subject_id from idempotency_keys where buyer = $1 and verb = $2 and key = $3";
