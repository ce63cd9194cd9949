//! Announcements: notifications of followers, once for each show and target. An announcement is written in the transaction that makes it
//! true. A job writes the mails of its followers in batches, each in one transaction with how far it got, so none is written twice.

use uuid::Uuid;

use super::transaction::Transaction;
use super::{Result, Store, to_json};
use crate::domain::follow::NEWS_TTL_MS;
use crate::domain::mail::BULK_PRIORITY;
use crate::domain::{
    Announcement, FollowId, FollowTarget, MailContent, MailId, Millis, OfferId, StreamId, StreamStatus,
};

/// Mails of one step. On SQLite, purchases wait for a step.
pub const FOLLOWERS_NOTIFIED_TOGETHER_MAX: i64 = 100;
/// The maximum number of mails to followers that wait in the outbox; then the next step waits too.
pub const BULK_MAILS_WAITING_MAX: i64 = 400;

/// What one step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnnouncementStep {
    /// No announcement waits.
    Idle,
    /// As many mails to followers wait in the outbox as may wait.
    Full,
    Written {
        mails: i64,
        /// All followers were notified.
        is_finished: bool,
    },
    /// It is not news any more.
    Stale,
}

/// The announcements whose mails are not all written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AnnouncementQueue {
    pub waiting: i64,
    pub oldest_at: Option<Millis>,
    /// Mails to followers that are in the outbox; at most [`BULK_MAILS_WAITING_MAX`] for each node are.
    pub mails: i64,
}

/// Announces that a show is live, and the products that are on sale in it already.
pub(super) async fn announce_show(tx: &mut Transaction<'_>, stream: StreamId) -> Result<()> {
    let now = tx.now().await?;
    let announce = "insert into announcements (stream, target, announced_at, reached)
        select $1, t.target, $2, $3 from
            (select $3 as target union select v.product from offers o join variants v on v.id = o.variant
                where o.stream = $1 and o.stage = 'open') t
        where exists (select 1 from follows f where f.target = t.target)
        on conflict (stream, target) do nothing";
    tx.query(announce).bind(stream.0).bind(now).bind(Uuid::nil()).execute().await.map(drop)
}

/// Announces the product of an offer that is pinned or on sale, if its show is live and somebody follows the product.
pub(super) async fn announce_product(tx: &mut Transaction<'_>, offer: OfferId) -> Result<()> {
    let now = tx.now().await?;
    let announce = "insert into announcements (stream, target, announced_at, reached)
        select o.stream, v.product, $2, $3 from offers o
            join variants v on v.id = o.variant join streams s on s.id = o.stream
            where o.id = $1 and s.status = $4 and exists (select 1 from follows f where f.target = v.product)
        on conflict (stream, target) do nothing";
    let announce = tx.query(announce).bind(offer.0).bind(now).bind(Uuid::nil());
    announce.bind(StreamStatus::Live.name()).execute().await.map(drop)
}

type NextRow = (Uuid, Uuid, i64, Uuid);
type FollowerRow = (Uuid, String, String, Option<String>);

impl Store {
    /// Writes the mails of the next followers of the oldest announcement. Those who follow since then know it.
    pub async fn notify_followers(&self) -> Result<AnnouncementStep> {
        let read =
            "select cast(count(*) as bigint) from (select 1 from announcements where finished_at is null limit 1) a";
        let waiting: i64 = self.query(read).fetch_value().await?;
        if waiting == 0 {
            return Ok(AnnouncementStep::Idle);
        }
        self.transaction(async |tx| tell_some(tx).await).await
    }

    /// How much waits, and since when.
    pub async fn announcement_queue(&self) -> Result<AnnouncementQueue> {
        let read = "select cast(count(*) as bigint), min(announced_at) from announcements where finished_at is null";
        let (waiting, oldest_at) = self.query(read).fetch_one().await?;
        let read = "select cast(count(*) as bigint) from mails where status in ('queued', 'sending') and priority = $1";
        let mails = self.query(read).bind(BULK_PRIORITY).fetch_value().await?;
        Ok(AnnouncementQueue { waiting, oldest_at, mails })
    }

    /// Deletes announcements of shows that are over, `most` at most: nothing is announced in them again. Gives how many were deleted.
    pub async fn delete_old_announcements(&self, before: Millis, most: i64) -> Result<u64> {
        self.transaction(async |tx| {
            let delete = "delete from announcements where (stream, target) in
                (select a.stream, a.target from announcements a where a.finished_at < $1 and not exists
                    (select 1 from streams s where s.id = a.stream and s.status <> 'ended')
                    order by a.finished_at limit $2)";
            tx.query(delete).bind(before).bind(most).execute().await
        })
        .await
    }
}

async fn tell_some(tx: &mut Transaction<'_>) -> Result<AnnouncementStep> {
    let now = tx.now().await?;
    let next = tx.choose(
        "select stream, target, announced_at, reached from announcements where finished_at is null
            order by announced_at limit 1 for update skip locked",
        "select stream, target, announced_at, reached from announcements where finished_at is null
            order by announced_at limit 1",
    );
    // Another node may be at it.
    let row: Option<NextRow> = tx.query(next).fetch_optional().await?;
    let Some((stream, target, announced_at, reached)) = row else { return Ok(AnnouncementStep::Idle) };
    let news = Announcement { stream: StreamId(stream), target: FollowTarget::of_id(target), announced_at };
    if news.is_stale(now) {
        set_reached(tx, &news, reached, Some(now)).await?;
        return Ok(AnnouncementStep::Stale);
    }
    let count = "select cast(count(*) as bigint) from (select 1 from mails
        where status in ('queued', 'sending') and priority = $1 limit $2) waiting";
    let waiting: i64 = tx.query(count).bind(BULK_PRIORITY).bind(BULK_MAILS_WAITING_MAX).fetch_value().await?;
    let room = (BULK_MAILS_WAITING_MAX - waiting).min(FOLLOWERS_NOTIFIED_TOGETHER_MAX);
    if room <= 0 {
        return Ok(AnnouncementStep::Full);
    }
    let read = "select id, email, language, user_id from follows
        where target = $1 and id > $2 and created_at <= $3 order by id limit $4";
    let read = tx.query(read).bind(target).bind(reached).bind(announced_at).bind(room);
    let followers: Vec<FollowerRow> = read.fetch_all().await?;
    let mails = followers.len() as i64;
    let is_finished = mails < room;
    let reached = followers.last().map_or(reached, |(id, ..)| *id);
    write_mails(tx, &news, followers, now).await?;
    set_reached(tx, &news, reached, is_finished.then_some(now)).await?;
    Ok(AnnouncementStep::Written { mails, is_finished })
}

async fn set_reached(
    tx: &mut Transaction<'_>,
    news: &Announcement,
    reached: Uuid,
    finished_at: Option<Millis>,
) -> Result<()> {
    let write = "update announcements set reached = $3, finished_at = $4 where stream = $1 and target = $2";
    let write = tx.query(write).bind(news.stream.0).bind(news.target.id()).bind(reached).bind(finished_at);
    write.execute().await.map(drop)
}

/// Writes one mail for each follower, in one statement.
async fn write_mails(
    tx: &mut Transaction<'_>,
    news: &Announcement,
    followers: Vec<FollowerRow>,
    now: Millis,
) -> Result<()> {
    let mut rows = Vec::with_capacity(followers.len());
    let &Announcement { stream, target, announced_at } = news;
    for (id, email, language, user) in followers {
        let follow = FollowId(id);
        let content = match target {
            FollowTarget::Shop => MailContent::ShowStarted { follow, stream, announced_at },
            FollowTarget::Product(_) => MailContent::ProductUp { follow, stream, announced_at },
        };
        let mail = MailId::new().0.simple().to_string();
        rows.push((mail, content.kind().name(), email, language, user, to_json(&content)?));
    }
    let insert = tx.choose(
        "insert into mails (id, kind, priority, to_address, language, user_id, content, status, next_try_at, give_up_at, created_at)
            select (v->>0)::uuid, v->>1, $2, v->>2, v->>3, v->>4, v->>5, 'queued', $3, $4, $3
            from json_array_elements($1::json) v",
        "insert into mails (id, kind, priority, to_address, language, user_id, content, status, next_try_at, give_up_at, created_at)
            select unhex(value->>0), value->>1, $2, value->>2, value->>3, value->>4, value->>5, 'queued', $3, $4, $3
            from json_each($1)",
    );
    let insert = tx.query(insert).bind(to_json(&rows)?).bind(BULK_PRIORITY).bind(now);
    insert.bind(announced_at + NEWS_TTL_MS).execute().await.map(drop)
}
