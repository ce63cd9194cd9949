//! Erasure: a user's personal data on request, and chat messages at the end of their retention time.

use uuid::Uuid;

use super::account::erase_sign_in;
use super::address_retention::needs_address;
use super::customer::erase_customer;
use super::follow::erase_follows;
use super::free_text::erase_texts;
use super::guest_orders::erase_order_links;
use super::saved_card::erase_saved_cards;
use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::{MessageId, Millis, StreamId, UserId};

/// What an erasure removed, and what it had to keep.
#[derive(Clone, PartialEq, Debug)]
pub struct ErasureReport {
    pub messages: u64,
    /// Orders that lost the buyer's name. Their amounts and the buyer's id are kept.
    pub orders: u64,
    /// Addresses that the shop still needs. They are erased when their order was sent or has ended.
    pub addresses_kept: u64,
    /// Invoices and credit notes, which name the user; they are kept because tax law requires it.
    pub documents: u64,
    /// Reasons and other free texts of the team that named the user, or were about the user; they are erased.
    pub texts: u64,
    /// Mutes and bans that are still in force. They keep only the user's id.
    pub sanctions: u64,
    /// The mailbox of an account that stays as a hash: a mute, a block or the limit of a sale holds for the person.
    pub mailboxes: u64,
    /// Audit log entries that still contain the user's id.
    pub audit_entries: u64,
    /// Shows that may have content of the user on viewers' screens.
    pub streams: Vec<StreamId>,
}

/// Messages that one call of [`Store::delete_messages_before`] deletes at most.
const DELETE_BATCH_MAX: i64 = 500;

impl Store {
    /// Erases a user's messages, names, addresses, e-mails, follows, saved cards, claimed coupons, stock alerts and sign-ins. The user's id stays where other data depends on it:
    /// in orders, in mutes and bans that are in force, and in the audit log. The address of an order that is open, or paid and not
    /// sent, stays until then: without it the shop could not deliver what the user paid for.
    pub async fn erase_user_data(&self, user: &UserId) -> Result<ErasureReport> {
        let naming = self.texts_naming(user).await?;
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let (messages, streams) = erase_messages(tx, user).await?;
            let (orders, addresses_kept, documents) = erase_orders(tx, user).await?;
            let mut texts = erase_texts(tx, naming).await?;
            let refunds = "update refunds set reason = null
                where reason is not null and order_id in (select id from reservations where buyer = $1)";
            texts += tx.query(refunds).bind(user.as_str()).execute().await?;
            texts += erase_customer(tx, user).await?;
            erase_from_work_of_team(tx, user).await?;
            let (sanctions, texts_of_sanctions) = erase_sanctions(tx, user, now).await?;
            let (audit_entries, texts_of_entries) = erase_from_audit_log(tx, user).await?;
            texts += texts_of_sanctions + texts_of_entries;
            erase_follows(tx, user).await?;
            erase_saved_cards(tx, user).await?;
            let mailboxes = erase_sign_in(tx, user).await?;
            erase_order_links(tx, user).await?;
            // A sign-out stays in force; it keeps only the ids.
            let signed_out = "update token_revocations set reason = null where user_id = $1";
            tx.query(signed_out).bind(user.as_str()).execute().await?;
            let signed_out_by = "update token_revocations set by_name = '' where by_user = $1";
            tx.query(signed_out_by).bind(user.as_str()).execute().await?;
            Ok(ErasureReport {
                messages,
                orders,
                addresses_kept,
                documents,
                texts,
                sanctions,
                mailboxes,
                audit_entries,
                streams,
            })
        })
        .await
    }

    /// Erases quotes in a show whose original message no longer exists: a reply may be written after the message that it
    /// quotes was deleted.
    pub async fn erase_orphaned_quotes(&self, stream: StreamId) -> Result<()> {
        let erase = "update messages set reply_name = '', reply_body = '' where stream = $1 and reply_to is not null
            and reply_body <> '' and not exists (select 1 from messages q where q.id = messages.reply_to)";
        self.transaction(async |tx| {
            tx.query(erase).bind(stream.0).execute().await?;
            Ok(())
        })
        .await
    }

    /// Deletes the oldest messages sent before `before`, at most 500 at a time, and gives how many. Call it until it
    /// gives 0.
    pub async fn delete_messages_before(&self, before: Millis) -> Result<u64> {
        self.transaction(async |tx| {
            // Ids grow with time, so the primary key finds the oldest messages.
            let delete =
                "delete from messages where id in (select id from messages where id < $1 order by id limit $2)";
            tx.query(delete).bind(MessageId::first_at(before).0).bind(DELETE_BATCH_MAX).execute().await
        })
        .await
    }
}

/// Deletes the messages of a user, and what quotes or pins them. Gives how many there were, and the shows that may have content of the
/// user.
async fn erase_messages(tx: &mut Transaction<'_>, user: &UserId) -> Result<(u64, Vec<StreamId>)> {
    let user = user.as_str();
    let shows = "select distinct stream from messages where user_id = $1
        union select id from streams where pinned_user = $1";
    let streams: Vec<Uuid> = tx.query(shows).bind(user).fetch_values().await?;
    let quotes = "update messages set reply_name = '', reply_body = ''
        where reply_to in (select id from messages where user_id = $1)";
    tx.query(quotes).bind(user).execute().await?;
    let messages = tx.query("delete from messages where user_id = $1").bind(user).execute().await?;
    let unpin = "update streams set version = version + 1, pinned_message = null, pinned_user = null,
        pinned_name = null, pinned_body = null where pinned_user = $1";
    tx.query(unpin).bind(user).execute().await?;
    Ok((messages, streams.into_iter().map(StreamId).collect()))
}

/// Erases the name and the addresses of a buyer, and what is kept for the next purchase. Gives how many orders there were, how many
/// addresses the shop still needs, and how many documents stay.
async fn erase_orders(tx: &mut Transaction<'_>, user: &UserId) -> Result<(u64, u64, u64)> {
    let user = user.as_str();
    // In the lock order of the lines of orders.
    let lock = tx.choose(
        "select id from reservations where buyer = $1 order by id for update",
        "select id from reservations where buyer = $1 order by id",
    );
    let _reservations: Vec<Uuid> = tx.query(lock).bind(user).fetch_values().await?;
    let orders = tx.query("update reservations set buyer_name = '' where buyer = $1").bind(user).execute().await?;
    let addresses = concat!(
        "delete from addresses where order_id in (select o.id from reservations o where o.buyer = $1 and not ",
        needs_address!(),
        ")"
    );
    tx.query(addresses).bind(user).execute().await?;
    let later = "update addresses set erase_when_done = 1
        where order_id in (select id from reservations where buyer = $1)";
    let addresses_kept = tx.query(later).bind(user).execute().await?;
    let documents = "select cast(count(*) as bigint) from billing_documents
        where order_id in (select id from reservations where buyer = $1)";
    let documents: i64 = tx.query(documents).bind(user).fetch_value().await?;
    tx.query("delete from saved_views where user_id = $1").bind(user).execute().await?;
    tx.query("delete from saved_addresses where user_id = $1").bind(user).execute().await?;
    tx.query("delete from mails where user_id = $1").bind(user).execute().await?;
    Ok((orders, addresses_kept, documents.unsigned_abs()))
}

/// Erases notes about a buyer, the name of a member of the team from their work, and what a viewer asked for.
async fn erase_from_work_of_team(tx: &mut Transaction<'_>, user: &UserId) -> Result<()> {
    for statement in [
        // What the team noted on the orders may be about the buyer.
        "delete from order_notes where order_id in (select id from reservations where buyer = $1)",
        "update order_notes set by_name = '' where by_user = $1",
        "update catalogue_imports set by_name = '' where by_user = $1",
        "update price_changes set by_name = '' where by_user = $1",
        "update stock_changes set by_name = '' where by_user = $1",
        // The name that the user chose when they accepted an invite.
        "update helpers set name = user_id where user_id = $1",
        "delete from coupon_claims where user_id = $1",
        "delete from stock_alerts where user_id = $1",
        "delete from sign_in_codes where user_id = $1",
    ] {
        tx.query(statement).bind(user.as_str()).execute().await?;
    }
    Ok(())
}

/// Deletes sanctions that have ended, and erases the name and the reason from the others. Gives how many stay, and how many reasons were
/// erased.
async fn erase_sanctions(tx: &mut Transaction<'_>, user: &UserId, now: Millis) -> Result<(u64, u64)> {
    let user = user.as_str();
    let ended = "delete from sanctions where user_id = $1 and until is not null and until <= $2";
    tx.query(ended).bind(user).bind(now).execute().await?;
    let about = "update sanctions set reason = null where user_id = $1 and reason is not null";
    let texts = tx.query(about).bind(user).execute().await?;
    let sanctions = tx.query("update sanctions set user_name = '' where user_id = $1").bind(user).execute().await?;
    Ok((sanctions, texts))
}

/// Erases the name of a user, and reasons about them. Gives how many entries still have their id, and how many reasons were erased.
async fn erase_from_audit_log(tx: &mut Transaction<'_>, user: &UserId) -> Result<(u64, u64)> {
    let user = user.as_str();
    let about = "update audit_log set reason = null where user_id = $1 and reason is not null";
    let texts = tx.query(about).bind(user).execute().await?;
    let done_to = tx.query("update audit_log set user_name = null where user_id = $1").bind(user).execute().await?;
    let done_by = tx.query("update audit_log set by_name = '' where by_user = $1").bind(user).execute().await?;
    Ok((done_to + done_by, texts))
}
