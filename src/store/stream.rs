//! Shows: their status, their pin, their chat rules.

use uuid::Uuid;

use super::announcement::{announce_product, announce_show};
use super::audit::insert_audit_entry;
use super::picture::claim_picture;
use super::row::from_row;
use super::transaction::{Query, Transaction};
use super::{Result, Store, from_json, ids_to_json, require_known, titles_from_json, titles_to_json, to_json};
use crate::domain::chat::slow_ms;
use crate::domain::{
    AuditEntry, ChatMessage, ChatRules, ChatRulesForm, LinkRule, LiveStream, MessageId, Millis, OfferId, Pin,
    ProductId, Quote, Refusal, ShopId, StreamId, StreamStatus, UserId,
};

/// The newest recordings in which a product is looked for.
pub const RECORDINGS_SEARCHED_MAX: i64 = 50;

struct StreamRow {
    id: Uuid,
    title: String,
    titles: String,
    host: String,
    status: String,
    video: Option<String>,
    whep: Option<String>,
    poster: Option<String>,
    replay: Option<String>,
    replay_started_at: Option<i64>,
    scheduled_at: Option<i64>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    cancelled_at: Option<i64>,
    tags: String,
    pin: Option<Uuid>,
    coupon: Option<String>,
    slow_ms: i64,
    notice: Option<String>,
    chat_off: i64,
    links: String,
    review_all: i64,
    blocklist_version: i64,
    pinned_message: Option<Uuid>,
    pinned_user: Option<String>,
    pinned_name: Option<String>,
    pinned_body: Option<String>,
    likes: i64,
    version: i64,
    edition: i64,
}

from_row!(StreamRow {
    id,
    title,
    titles,
    host,
    status,
    video,
    whep,
    poster,
    replay,
    replay_started_at,
    scheduled_at,
    started_at,
    ended_at,
    cancelled_at,
    tags,
    pin,
    coupon,
    slow_ms,
    notice,
    chat_off,
    links,
    review_all,
    blocklist_version,
    pinned_message,
    pinned_user,
    pinned_name,
    pinned_body,
    likes,
    version,
    edition
});

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
            whep: self.whep,
            poster: self.poster,
            replay: self.replay,
            replay_started_at: self.replay_started_at,
            scheduled_at: self.scheduled_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            cancelled_at: self.cancelled_at,
            tags: from_json(&self.tags)?,
            pin: self.pin.map(|offer| Pin { offer: OfferId(offer) }),
            coupon: self.coupon.as_deref().map(from_json).transpose()?,
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
            blocklist_version: self.blocklist_version,
            likes: self.likes,
            version: self.version,
            edition: self.edition,
        })
    }
}

/// A statement with every column of a stream between its two halves.
macro_rules! streams {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, title, titles, host, status, video, whep, poster, replay, replay_started_at, scheduled_at, started_at, ended_at, cancelled_at, tags, pin,
            coupon, slow_ms, notice,
            chat_off, links, review_all, blocklist_version, pinned_message, pinned_user, pinned_name, pinned_body,
            likes, version, edition ",
            $after
        )
    };
}

const END_OPEN_PINS: &str = "update pins set until = $2 where stream = $1 and until is null";

/// Reads a show, in a transaction.
pub(super) async fn read_stream(tx: &mut Transaction<'_>, id: StreamId) -> Result<Option<LiveStream>> {
    let read = streams!("select", "from streams where id = $1");
    let row: Option<StreamRow> = tx.query(read).bind(id.0).fetch_optional().await?;
    row.map(StreamRow::into_stream).transpose()
}

/// Writes a new show. It is scheduled, whatever `stream` says.
pub(super) async fn insert_stream(tx: &mut Transaction<'_>, shop: ShopId, stream: &LiveStream) -> Result<()> {
    if let Some(poster) = &stream.poster {
        claim_picture(tx, poster, "poster").await?;
    }
    let now = tx.now().await?;
    let insert =
        "insert into streams (id, shop, title, titles, host, status, video, poster, tags, scheduled_at, created_at, whep)
        values ($1, $2, $3, $4, $5, 'scheduled', $6, $7, $8, $9, $10, $11)";
    tx.query(insert)
        .bind(stream.id.0)
        .bind(shop.0)
        .bind(&stream.title)
        .bind(titles_to_json(&stream.titles))
        .bind(&stream.host)
        .bind(&stream.video)
        .bind(&stream.poster)
        .bind(to_json(&stream.tags)?)
        .bind(stream.scheduled_at)
        .bind(now)
        .bind(&stream.whep)
        .execute()
        .await
        .map(drop)
}

/// Part of a transaction: shows an offer that is on sale.
pub(super) async fn set_pin(tx: &mut Transaction<'_>, id: StreamId, offer: OfferId) -> Result<LiveStream> {
    let update = streams!(
        "update streams set version = version + 1, pin = $2 where id = $1 and status <> 'ended' and exists
        (select 1 from offers o where o.id = $2 and o.stream = $1 and o.stage in ('open', 'paused')) returning",
        ""
    );
    let now = tx.now().await?;
    let row: Option<StreamRow> = tx.query(update).bind(id.0).bind(offer.0).fetch_optional().await?;
    let row = row.ok_or(Refusal::NoSuchOffer)?;
    tx.query(END_OPEN_PINS).bind(id.0).bind(now).execute().await?;
    let record = "insert into pins (stream, at, offer) values ($1, $2, $3)
        on conflict (stream, at, offer) do update set until = null";
    tx.query(record).bind(id.0).bind(now).bind(offer.0).execute().await?;
    announce_product(tx, offer).await?;
    row.into_stream()
}

/// What a search compares of a show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShowTexts {
    pub id: StreamId,
    pub status: StreamStatus,
    pub is_recorded: bool,
    /// Its titles, host and tags, one a line.
    pub text: String,
}

impl Store {
    pub async fn stream(&self, id: StreamId) -> Result<Option<LiveStream>> {
        let read = streams!("select", "from streams where id = $1");
        let row: Option<StreamRow> = self.query(read).bind(id.0).fetch_optional().await?;
        row.map(StreamRow::into_stream).transpose()
    }

    /// Reads a page of shows with one status or with any, newest first, before `after`.
    pub async fn streams(
        &self,
        status: Option<StreamStatus>,
        after: Option<StreamId>,
        limit: i64,
    ) -> Result<Vec<LiveStream>> {
        let before = after.map_or(Uuid::max(), |id| id.0);
        // Two texts, because few shows of thousands are live: each is read along its own index.
        let query = match status {
            Some(status) => {
                let read = streams!("select", "from streams where status = $3 and id < $1 order by id desc limit $2");
                self.query(read).bind(before).bind(limit).bind(status.name())
            }
            None => {
                let read = streams!("select", "from streams where id < $1 order by id desc limit $2");
                self.query(read).bind(before).bind(limit)
            }
        };
        let rows: Vec<StreamRow> = query.fetch_all().await?;
        rows.into_iter().map(StreamRow::into_stream).collect()
    }

    /// Reads a page of the shows that have a recording and this status, or any, newest first, before `after`. With a product: those of
    /// the newest [`RECORDINGS_SEARCHED_MAX`] in which it was on sale.
    pub async fn recordings(
        &self,
        product: Option<ProductId>,
        status: Option<StreamStatus>,
        after: Option<StreamId>,
        limit: i64,
    ) -> Result<Vec<LiveStream>> {
        let before = after.map_or(Uuid::max(), |id| id.0);
        let status = status.map_or("", StreamStatus::name);
        let query = match product {
            None => {
                let read = streams!(
                    "select",
                    "from streams where replay is not null and id < $1 and ($3 = '' or status = $3) order by id desc limit $2"
                );
                self.query(read).bind(before).bind(limit).bind(status)
            }
            Some(product) => {
                let read = streams!(
                    "select",
                    "from streams where id in (select r.id from
                        (select id from streams where replay is not null order by id desc limit $3) r
                        where r.id < $1 and ($5 = '' or (select s.status from streams s where s.id = r.id) = $5) and exists (select 1 from offers o where o.stream = r.id and o.stage <> 'draft'
                            and o.variant in (select v.id from variants v where v.product = $4)))
                    order by id desc limit $2"
                );
                self.query(read).bind(before).bind(limit).bind(RECORDINGS_SEARCHED_MAX).bind(product.0).bind(status)
            }
        };
        let rows: Vec<StreamRow> = query.fetch_all().await?;
        rows.into_iter().map(StreamRow::into_stream).collect()
    }

    /// Reads what a search compares of the newest shows, newest first.
    pub async fn show_texts(&self, most: i64) -> Result<Vec<ShowTexts>> {
        let read =
            "select id, status, replay is not null, title, titles, host, tags from streams order by id desc limit $1";
        type Row = (Uuid, String, bool, String, String, String, String);
        let rows: Vec<Row> = self.report_query(read).bind(most).fetch_all().await?;
        let texts = |(id, status, is_recorded, title, titles, host, tags): Row| {
            let status = require_known(StreamStatus::parse(&status), "stream status", &status)?;
            let titles: Vec<String> = titles_from_json(&titles)?.into_values().collect();
            let tags: Vec<String> = from_json(&tags)?;
            let text = [vec![title, host], titles, tags].concat().join("\n");
            Ok(ShowTexts { id: StreamId(id), status, is_recorded, text })
        };
        rows.into_iter().map(texts).collect()
    }

    /// Reads the shows with these ids that have this status, or any, newest first.
    pub async fn streams_by_id(&self, ids: &[StreamId], status: Option<StreamStatus>) -> Result<Vec<LiveStream>> {
        let read = self.choose(
            streams!(
                "select",
                "from streams where id = any (array(select value::uuid from json_array_elements_text($1::json)))
                    and ($2 = '' or status = $2) order by id desc"
            ),
            streams!(
                "select",
                "from streams where id in (select unhex(value) from json_each($1)) and ($2 = '' or status = $2)
                    order by id desc"
            ),
        );
        let status = status.map_or("", StreamStatus::name);
        let ids = ids_to_json(ids.iter().map(|id| id.0))?;
        let rows: Vec<StreamRow> = self.query(read).bind(ids).bind(status).fetch_all().await?;
        rows.into_iter().map(StreamRow::into_stream).collect()
    }

    pub async fn create_stream(&self, shop: ShopId, stream: &LiveStream) -> Result<()> {
        self.transaction(async |tx| insert_stream(tx, shop, stream).await).await
    }

    /// Runs one update of a show and gives the show after it; `None`: no row met the condition. `entry` is written into
    /// the audit log in the same transaction, if a row met the condition.
    async fn update_stream(
        &self,
        update: &'static str,
        entry: Option<&AuditEntry>,
        bind: impl for<'q> FnOnce(Query<'q>) -> Query<'q>,
    ) -> Result<Option<LiveStream>> {
        let row: Option<StreamRow> = self
            .transaction(async |tx| {
                let row = bind(tx.query(update)).fetch_optional().await?;
                if let (Some(_), Some(entry)) = (&row, entry) {
                    insert_audit_entry(tx, entry).await?;
                }
                Ok(row)
            })
            .await?;
        row.map(StreamRow::into_stream).transpose()
    }

    pub async fn start_stream(&self, id: StreamId, now: Millis) -> Result<LiveStream> {
        let start = streams!(
            "update streams set version = version + 1, status = 'live', started_at = $2
            where id = $1 and status = 'scheduled' returning",
            ""
        );
        let row: Option<StreamRow> = self
            .transaction(async |tx| {
                let row = tx.query(start).bind(id.0).bind(now).fetch_optional().await?;
                if row.is_some() {
                    announce_show(tx, id).await?;
                }
                Ok(row)
            })
            .await?;
        let changed = row.map(StreamRow::into_stream).transpose()?;
        self.changed_or_refused(id, changed, StreamStatus::Live).await
    }

    pub async fn end_stream(&self, id: StreamId, now: Millis) -> Result<LiveStream> {
        let end = streams!(
            "update streams set version = version + 1, status = 'ended', ended_at = $2
            where id = $1 and status <> 'ended' returning",
            ""
        );
        let changed = self.update_stream(end, None, |query| query.bind(id.0).bind(now)).await?;
        self.changed_or_refused(id, changed, StreamStatus::Ended).await
    }

    /// Gives the changed show, or the reason why its status could not become `target`.
    async fn changed_or_refused(
        &self,
        id: StreamId,
        changed: Option<LiveStream>,
        target: StreamStatus,
    ) -> Result<LiveStream> {
        if let Some(stream) = changed {
            return Ok(stream);
        }
        let stream = self.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        stream.status.check_transition(target)?;
        Ok(stream)
    }

    /// Pins an offer of this show that is on sale (open or paused), and records since when it is pinned.
    pub async fn pin(&self, id: StreamId, offer: OfferId) -> Result<LiveStream> {
        self.transaction(async |tx| set_pin(tx, id, offer).await).await
    }

    pub async fn unpin(&self, id: StreamId) -> Result<LiveStream> {
        let update = streams!("update streams set version = version + 1, pin = null where id = $1 returning", "");
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let row: Option<StreamRow> = tx.query(update).bind(id.0).fetch_optional().await?;
            let row = row.ok_or(Refusal::NoSuchStream)?;
            tx.query(END_OPEN_PINS).bind(id.0).bind(now).execute().await?;
            row.into_stream()
        })
        .await
    }

    /// Changes the chat rules that are given and leaves the others as they are.
    pub async fn set_rules(&self, id: StreamId, form: &ChatRulesForm, entry: &AuditEntry) -> Result<LiveStream> {
        let slow_ms = form.slow_s.map(slow_ms).transpose()?;
        let update = streams!(
            "update streams set version = version + 1, slow_ms = coalesce($2, slow_ms),
            chat_off = coalesce($3, chat_off), links = coalesce($4, links), review_all = coalesce($5, review_all)
            where id = $1 returning",
            ""
        );
        let changed = self.update_stream(update, Some(entry), |query| {
            query
                .bind(id.0)
                .bind(slow_ms)
                .bind(form.off.map(i64::from))
                .bind(form.links.map(LinkRule::name))
                .bind(form.review_all.map(i64::from))
        });
        changed.await?.ok_or_else(|| Refusal::NoSuchStream.into())
    }

    pub async fn set_notice(&self, id: StreamId, notice: Option<&str>, entry: &AuditEntry) -> Result<LiveStream> {
        let update = streams!("update streams set version = version + 1, notice = $2 where id = $1 returning", "");
        let changed = self.update_stream(update, Some(entry), |query| query.bind(id.0).bind(notice));
        changed.await?.ok_or_else(|| Refusal::NoSuchStream.into())
    }

    /// Pins a chat message above the others, if it is published and not deleted.
    pub async fn pin_message(&self, message: &ChatMessage, entry: &AuditEntry) -> Result<LiveStream> {
        let update = streams!(
            "update streams set version = version + 1, pinned_message = $2, pinned_user = $3, pinned_name = $4,
            pinned_body = $5 where id = $1
            and exists (select 1 from messages m where m.id = $2 and m.deleted_by is null and m.status = 'published')
            returning",
            ""
        );
        let changed = self.update_stream(update, Some(entry), |query| {
            query
                .bind(message.stream.0)
                .bind(message.id.0)
                .bind(message.from.id.as_str())
                .bind(&message.from.name)
                .bind(&message.text)
        });
        changed.await?.ok_or_else(|| Refusal::NoSuchMessage.into())
    }

    pub async fn unpin_message(&self, id: StreamId, entry: &AuditEntry) -> Result<Option<LiveStream>> {
        let update = streams!(
            "update streams set version = version + 1, pinned_message = null, pinned_user = null, pinned_name = null,
            pinned_body = null where id = $1 and pinned_message is not null returning",
            ""
        );
        self.update_stream(update, Some(entry), |query| query.bind(id.0)).await
    }

    /// Unpins the pinned chat message if it is this message or was sent by this user: a deleted message does not stay
    /// pinned.
    pub async fn unpin_removed_message(
        &self,
        id: StreamId,
        message: Option<MessageId>,
        user: Option<&UserId>,
    ) -> Result<Option<LiveStream>> {
        let update = streams!(
            "update streams set version = version + 1, pinned_message = null, pinned_user = null, pinned_name = null,
            pinned_body = null where id = $1 and (pinned_message = $2 or pinned_user = $3) returning",
            ""
        );
        let (message, user) = (message.map(|id| id.0), user.map(UserId::as_str));
        self.update_stream(update, None, |query| query.bind(id.0).bind(message).bind(user)).await
    }

    /// Adds likes that were counted in memory. Gives the sum.
    pub async fn add_likes(&self, id: StreamId, likes: i64) -> Result<i64> {
        self.transaction(async |tx| {
            let add = "update streams set likes = likes + $2 where id = $1 returning likes";
            let sum: Option<i64> = tx.query(add).bind(id.0).bind(likes).fetch_optional_value().await?;
            Ok(sum.unwrap_or(likes))
        })
        .await
    }

    /// Reads the version and the likes of these shows. Empty on SQLite: it has one node, which changes them all itself.
    pub async fn stream_versions(&self, ids: &[StreamId]) -> Result<Vec<(StreamId, i64, i64)>> {
        if matches!(self, Store::Sqlite(_)) {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(500) {
            let read = "select id, version, likes from streams
                where id = any (array(select value::uuid from json_array_elements_text($1::json)))";
            let rows: Vec<(Uuid, i64, i64)> =
                self.query(read).bind(ids_to_json(ids.iter().map(|id| id.0))?).fetch_all().await?;
            found.extend(rows.into_iter().map(|(id, version, likes)| (StreamId(id), version, likes)));
        }
        Ok(found)
    }
}
