//! The muted words of a show.

use super::audit::insert_audit_entry;
use super::{Error, Result, Store, in_transaction, on_reader, require_known};
use crate::domain::{AuditEntry, BlockAction, BlockedWord, Blocklist, Refusal, StreamId};

impl Store {
    /// A show's muted words in the order in which they were given.
    pub async fn blocklist(&self, stream: StreamId) -> Result<Blocklist> {
        let read = "select word, whole, act from muted_words where stream = $1 order by position";
        let rows: Vec<(String, i64, String)> =
            on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).fetch_all(pool).await?);
        let muted = |(word, whole, act): (String, i64, String)| {
            Ok(BlockedWord { word, whole: whole != 0, act: require_known(BlockAction::parse(&act), "act", &act)? })
        };
        let list: Vec<BlockedWord> = rows.into_iter().map(muted).collect::<Result<_>>()?;
        Blocklist::parse(list).map_err(|refusal| Error::CorruptRow(refusal.to_string()))
    }

    /// Puts a new list in the place of the old one. The show's version rises, so every node reads it.
    pub async fn set_blocklist(&self, stream: StreamId, words: &Blocklist, deed: &AuditEntry) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let touch =
                "update streams set version = version + 1, words_v = version + 1 where id = $1 returning version";
            let version: Option<i64> = sqlx::query_scalar(touch).bind(stream.0).fetch_optional(&mut *tx).await?;
            version.ok_or(Refusal::NoSuchStream)?;
            sqlx::query("delete from muted_words where stream = $1").bind(stream.0).execute(&mut *tx).await?;
            let insert = "insert into muted_words (stream, position, word, whole, act) values ($1, $2, $3, $4, $5)";
            for (position, muted) in (0_i64..).zip(words.words()) {
                sqlx::query(insert)
                    .bind(stream.0)
                    .bind(position)
                    .bind(&muted.word)
                    .bind(i64::from(muted.whole))
                    .bind(muted.act.name())
                    .execute(&mut *tx)
                    .await?;
            }
            insert_audit_entry!(tx, deed);
        });
        Ok(())
    }
}
