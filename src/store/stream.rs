//! Shows: their life, their pin, their chat rules.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::{
    Result, Store, in_transaction, now_in, on_reader, require_known, titles_from_json, titles_to_json, with_deadline,
};
use crate::domain::chat::slow_ms;
use crate::domain::{
    AuditEntry, ChatMessage, ChatRules, ChatRulesForm, LinkRule, LiveStream, MessageId, Millis, OfferId, Pin, Quote,
    Refusal, ShopId, StreamId, StreamStatus, UserId,
};

#[derive(sqlx::FromRow)]
struct StreamRow {
    id: Uuid,
    title: String,
    titles: String,
    host: String,
    status: String,
    video: Option<String>,
    poster: Option<String>,
    scheduled_at: Option<i64>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    pin: Option<Uuid>,
    slow_ms: i64,
    notice: Option<String>,
    chat_off: i64,
    links: String,
    review_all: i64,
    blocklist_v: i64,
    pinned_message: Option<Uuid>,
    pinned_user: Option<String>,
    pinned_name: Option<String>,
    pinned_body: Option<String>,
    likes: i64,
    version: i64,
}

impl StreamRow {
    fn into_stream(self) -> Result<LiveStream> {
        let pinned = self.pinned_message.zip(self.pinned_user.and_then(|user| UserId::parse(&user).ok()));
        Ok(LiveStream {
            id: StreamId(self.id),
            title: self.title,
            titles: titles_from_json(&self.titles)?,
            host: self.host,
            status: require_known(StreamStatus::parse(&self.status), "status", &self.status)?,
            video: self.video,
            poster: self.poster,
            scheduled_at: self.scheduled_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            pin: self.pin.map(|offer| Pin { offer: OfferId(offer) }),
            chat: ChatRules {
                slow_ms: self.slow_ms,
                notice: self.notice,
                off: self.chat_off != 0,
                links: require_known(LinkRule::parse(&self.links), "links", &self.links)?,
                review_all: self.review_all != 0,
                pinned: pinned.map(|(id, user)| Quote {
                    id: MessageId(id),
                    user,
                    name: self.pinned_name.unwrap_or_default(),
                    text: self.pinned_body.unwrap_or_default(),
                }),
            },
            blocklist_version: self.blocklist_v,
            likes: self.likes,
            version: self.version,
        })
    }
}

/// A statement with every column of a stream between its two halves.
macro_rules! streams {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, title, titles, host, status, video, poster, scheduled_at, started_at, ended_at, pin, slow_ms, notice,
            chat_off, links, hold_all, words_v, pinned_message, pinned_user, pinned_name, pinned_body,
            likes, version ",
            $after
        )
    };
}

/// One update that raises the version and gives the whole stream after it; `None`: no row met the condition.
macro_rules! change {
    ($store:expr, $set:literal, $id:expr $(, $bind:expr)*) => {{
        let update = streams!($set, "");
        let row: Option<StreamRow> = in_transaction!($store, |tx, _dialect| {
            sqlx::query_as(update).bind($id.0)$(.bind($bind))*.fetch_optional(&mut *tx).await?
        });
        row.map(StreamRow::into_stream).transpose()
    }};
    // The same with an entry in the log of actions, if a row met the condition.
    ($store:expr, $deed:expr; $set:literal, $id:expr $(, $bind:expr)*) => {{
        let update = streams!($set, "");
        let row: Option<StreamRow> = in_transaction!($store, |tx, _dialect| {
            let row = sqlx::query_as(update).bind($id.0)$(.bind($bind))*.fetch_optional(&mut *tx).await?;
            if row.is_some() {
                insert_audit_entry!(tx, $deed);
            }
            row
        });
        row.map(StreamRow::into_stream).transpose()
    }};
}

const END_PINS: &str = "update pins set until = $2 where stream = $1 and until is null";

impl Store {
    pub async fn stream(&self, id: StreamId) -> Result<Option<LiveStream>> {
        let read = streams!("select", "from streams where id = $1");
        let row: Option<StreamRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(id.0).fetch_optional(pool).await?);
        row.map(StreamRow::into_stream).transpose()
    }

    /// Shows of one status or of all, newest first, before `after`.
    pub async fn streams(
        &self,
        status: Option<StreamStatus>,
        after: Option<StreamId>,
        limit: i64,
    ) -> Result<Vec<LiveStream>> {
        let read =
            streams!("select", "from streams where id < $1 and ($2 = '' or status = $2) order by id desc limit $3");
        let (before, status) = (after.map_or(Uuid::max(), |id| id.0), status.map_or("", StreamStatus::name));
        let rows: Vec<StreamRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(before).bind(status).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(StreamRow::into_stream).collect()
    }

    pub async fn create_stream(&self, shop: ShopId, stream: &LiveStream) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let insert =
                "insert into streams (id, shop, title, titles, host, status, video, poster, scheduled_at, created_at)
                values ($1, $2, $3, $4, $5, 'scheduled', $6, $7, $8, $9)";
            sqlx::query(insert)
                .bind(stream.id.0)
                .bind(shop.0)
                .bind(&stream.title)
                .bind(titles_to_json(&stream.titles))
                .bind(&stream.host)
                .bind(&stream.video)
                .bind(&stream.poster)
                .bind(stream.scheduled_at)
                .bind(now)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    pub async fn start_stream(&self, id: StreamId, now: Millis) -> Result<LiveStream> {
        let set = change!(
            self,
            "update streams set version = version + 1, status = 'live', started_at = $2
            where id = $1 and status = 'scheduled' returning",
            id,
            now
        )?;
        self.changed_or_refused(id, set, StreamStatus::Live).await
    }

    pub async fn end_stream(&self, id: StreamId, now: Millis) -> Result<LiveStream> {
        let set = change!(
            self,
            "update streams set version = version + 1, status = 'ended', ended_at = $2
            where id = $1 and status <> 'ended' returning",
            id,
            now
        )?;
        self.changed_or_refused(id, set, StreamStatus::Ended).await
    }

    /// Pins an offer of this show that is not a draft and not closed, and notes since when.
    pub async fn pin(&self, id: StreamId, offer: OfferId) -> Result<LiveStream> {
        let update = streams!(
            "update streams set version = version + 1, pin = $2 where id = $1 and status <> 'ended' and exists
            (select 1 from offers o where o.id = $2 and o.stream = $1 and o.stage in ('open', 'paused')) returning",
            ""
        );
        let row: StreamRow = in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let row = sqlx::query_as(update).bind(id.0).bind(offer.0).fetch_optional(&mut *tx).await?;
            let row = row.ok_or(Refusal::NoSuchOffer)?;
            sqlx::query(END_PINS).bind(id.0).bind(now).execute(&mut *tx).await?;
            let note = "insert into pins (stream, at, offer) values ($1, $2, $3)
                on conflict (stream, at, offer) do update set until = null";
            sqlx::query(note).bind(id.0).bind(now).bind(offer.0).execute(&mut *tx).await?;
            row
        });
        row.into_stream()
    }

    pub async fn unpin(&self, id: StreamId) -> Result<LiveStream> {
        let update = streams!("update streams set version = version + 1, pin = null where id = $1 returning", "");
        let row: StreamRow = in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let row = sqlx::query_as(update).bind(id.0).fetch_optional(&mut *tx).await?;
            let row = row.ok_or(Refusal::NoSuchStream)?;
            sqlx::query(END_PINS).bind(id.0).bind(now).execute(&mut *tx).await?;
            row
        });
        row.into_stream()
    }

    /// Changes the rules that are given and leaves the others.
    pub async fn set_rules(&self, id: StreamId, form: &ChatRulesForm, deed: &AuditEntry) -> Result<LiveStream> {
        let slow_ms = form.slow_s.map(slow_ms).transpose()?;
        let set = change!(
            self,
            deed;
            "update streams set version = version + 1, slow_ms = coalesce($2, slow_ms), chat_off = coalesce($3, chat_off),
            links = coalesce($4, links), hold_all = coalesce($5, hold_all) where id = $1 returning",
            id,
            slow_ms,
            form.off.map(i64::from),
            form.links.map(LinkRule::name),
            form.review_all.map(i64::from)
        )?;
        set.ok_or_else(|| Refusal::NoSuchStream.into())
    }

    pub async fn set_notice(&self, id: StreamId, notice: Option<&str>, deed: &AuditEntry) -> Result<LiveStream> {
        let set = change!(
            self,
            deed;
            "update streams set version = version + 1, notice = $2 where id = $1 returning",
            id,
            notice
        )?;
        set.ok_or_else(|| Refusal::NoSuchStream.into())
    }

    /// Puts a message above the others, if it is still there to be seen.
    pub async fn pin_message(&self, message: &ChatMessage, deed: &AuditEntry) -> Result<LiveStream> {
        let set = change!(
            self,
            deed;
            "update streams set version = version + 1, pinned_message = $2, pinned_user = $3, pinned_name = $4, pinned_body = $5
            where id = $1 and exists (select 1 from messages m where m.id = $2 and m.deleted_by is null and m.status = 'said')
            returning",
            message.stream,
            message.id.0,
            message.from.id.as_str(),
            &message.from.name,
            &message.text
        )?;
        set.ok_or_else(|| Refusal::NoSuchMessage.into())
    }

    pub async fn unpin_message(&self, id: StreamId, deed: &AuditEntry) -> Result<Option<LiveStream>> {
        change!(
            self,
            deed;
            "update streams set version = version + 1, pinned_message = null, pinned_user = null, pinned_name = null,
            pinned_body = null where id = $1 and pinned_message is not null returning",
            id
        )
    }

    /// What was taken away does not stand above the rest: this message, or whatever this person said.
    pub async fn unpin_removed_message(
        &self,
        id: StreamId,
        message: Option<MessageId>,
        user: Option<&UserId>,
    ) -> Result<Option<LiveStream>> {
        change!(
            self,
            "update streams set version = version + 1, pinned_message = null, pinned_user = null, pinned_name = null,
            pinned_body = null where id = $1 and (pinned_message = $2 or pinned_user = $3) returning",
            id,
            message.map(|id| id.0),
            user.map(UserId::as_str)
        )
    }

    /// Adds hearts that were counted in memory.
    /// Gives the sum.
    pub async fn add_likes(&self, id: StreamId, likes: i64) -> Result<i64> {
        Ok(in_transaction!(self, |tx, _dialect| {
            let add = "update streams set likes = likes + $2 where id = $1 returning likes";
            let sum: Option<i64> = sqlx::query_scalar(add).bind(id.0).bind(likes).fetch_optional(&mut *tx).await?;
            sum.unwrap_or(likes)
        }))
    }

    /// The version and the likes of these shows.
    pub async fn stream_versions(&self, ids: &[StreamId]) -> Result<Vec<(StreamId, i64, i64)>> {
        let mut found = Vec::with_capacity(ids.len());
        // Few at a time on SQLite, whose lists are bound one by one.
        for some in ids.chunks(500) {
            let rows: Vec<(Uuid, i64, i64)> = match self {
                Store::Postgres(db) => {
                    let read = "select id, version, likes from streams where id = any($1)";
                    let ids: Vec<Uuid> = some.iter().map(|id| id.0).collect();
                    with_deadline(async { Ok(sqlx::query_as(read).bind(ids).fetch_all(db.pool()).await?) }).await?
                }
                Store::Sqlite(_) => Vec::new(),
            };
            found.extend(rows.into_iter().map(|(id, version, likes)| (StreamId(id), version, likes)));
        }
        Ok(found)
    }

    /// The stream, or why it could not become `wanted`.
    async fn changed_or_refused(
        &self,
        id: StreamId,
        set: Option<LiveStream>,
        wanted: StreamStatus,
    ) -> Result<LiveStream> {
        if let Some(stream) = set {
            return Ok(stream);
        }
        let stream = self.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        stream.status.check_transition(wanted)?;
        Ok(stream)
    }
}
