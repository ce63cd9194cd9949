//! The blocklist of a show: the words that viewers may not write.

use super::audit::insert_audit_entry;
use super::{Error, Result, Store, require_known};
use crate::domain::{AuditEntry, BlockAction, BlockedWord, Blocklist, Refusal, StreamId};

impl Store {
    /// Reads a show's blocked words in the order in which they were given.
    pub async fn blocklist(&self, stream: StreamId) -> Result<Blocklist> {
        let read = "select word, whole_word, action from blocked_words where stream = $1 order by position";
        let rows: Vec<(String, i64, String)> = self.query(read).bind(stream.0).fetch_all().await?;
        let blocked = |(word, whole_word, action): (String, i64, String)| {
            Ok(BlockedWord {
                word,
                whole_word: whole_word != 0,
                action: require_known(BlockAction::parse(&action), "action", &action)?,
            })
        };
        let words: Vec<BlockedWord> = rows.into_iter().map(blocked).collect::<Result<_>>()?;
        Blocklist::parse(words).map_err(|refusal| Error::CorruptRow(refusal.to_string()))
    }

    /// Replaces a show's blocklist. The show's version rises, so every node reads the new list.
    pub async fn set_blocklist(&self, stream: StreamId, blocklist: &Blocklist, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            let raise = "update streams set version = version + 1, blocklist_version = version + 1 where id = $1";
            if tx.query(raise).bind(stream.0).execute().await? == 0 {
                return Err(Refusal::NoSuchStream.into());
            }
            tx.query("delete from blocked_words where stream = $1").bind(stream.0).execute().await?;
            let insert =
                "insert into blocked_words (stream, position, word, whole_word, action) values ($1, $2, $3, $4, $5)";
            for (position, blocked) in (0_i64..).zip(blocklist.words()) {
                tx.query(insert)
                    .bind(stream.0)
                    .bind(position)
                    .bind(&blocked.word)
                    .bind(i64::from(blocked.whole_word))
                    .bind(blocked.action.name())
                    .execute()
                    .await?;
            }
            insert_audit_entry(tx, entry).await
        })
        .await
    }
}
