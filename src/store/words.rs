//! The muted words of a show.

use super::deed::keep_deed;
use super::{Error, Result, Store, in_transaction, known, on_reader};
use crate::domain::{Deed, MutedWord, Refusal, StreamId, WordAct, Words};

impl Store {
    /// A show's muted words in the order in which they were given.
    pub async fn words(&self, stream: StreamId) -> Result<Words> {
        let read = "select word, whole, act from muted_words where stream = $1 order by position";
        let rows: Vec<(String, i64, String)> =
            on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).fetch_all(pool).await?);
        let muted = |(word, whole, act): (String, i64, String)| {
            Ok(MutedWord { word, whole: whole != 0, act: known(WordAct::parse(&act), "act", &act)? })
        };
        let list: Vec<MutedWord> = rows.into_iter().map(muted).collect::<Result<_>>()?;
        Words::parse(list).map_err(|refusal| Error::Unreadable(refusal.to_string()))
    }

    /// Puts a new list in the place of the old one. The show's version rises, so every node reads it.
    pub async fn set_words(&self, stream: StreamId, words: &Words, deed: &Deed) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let touch =
                "update streams set version = version + 1, words_v = version + 1 where id = $1 returning version";
            let version: Option<i64> = sqlx::query_scalar(touch).bind(stream.0).fetch_optional(&mut *tx).await?;
            version.ok_or(Refusal::NoSuchStream)?;
            sqlx::query("delete from muted_words where stream = $1").bind(stream.0).execute(&mut *tx).await?;
            let insert = "insert into muted_words (stream, position, word, whole, act) values ($1, $2, $3, $4, $5)";
            for (position, muted) in (0_i64..).zip(words.list()) {
                sqlx::query(insert)
                    .bind(stream.0)
                    .bind(position)
                    .bind(&muted.word)
                    .bind(i64::from(muted.whole))
                    .bind(muted.act.name())
                    .execute(&mut *tx)
                    .await?;
            }
            keep_deed!(tx, deed);
        });
        Ok(())
    }
}
