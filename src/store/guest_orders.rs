//! What a guest bought, and what was imposed on the guest, joins an account, and links by which a guest comes back to an order.

use uuid::Uuid;

use super::customer::join_customer;
use super::token_revocation::revoke_shortly;
use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::{Account, Actor, Millis, OrderId, RevokedTokens, SecretHash, StreamId, UserId};

/// The maximum number of valid links to one order. A new one above that ends the oldest.
pub const LINKS_OF_ORDER_MAX: i64 = 5;
/// A link to an order ends after half a year: the times for withdrawals and returns are over by then.
pub const ORDER_LINK_TTL_MS: Millis = 180 * 86_400_000;

/// Moves what belongs to a guest to the account that the guest proved to own: orders with their payments and addresses, stock
/// alerts, messages, mutes and bans. Gives the shows in which something was imposed on the guest. The guest and its sessions end.
/// It is a part of the transaction that signs in: all of it happens, or nothing.
pub(super) async fn join_guest(tx: &mut Transaction<'_>, guest: &Actor, account: &Account) -> Result<Vec<StreamId>> {
    let (from, to) = (guest.user.as_str(), account.id.user());
    let to = to.as_str();
    // What the team imposed on the guest stays in force. The version of the show tells every node.
    let shows = "select distinct stream from sanctions where user_id = $1 order by stream";
    let shows: Vec<Uuid> = tx.query(shows).bind(from).fetch_values().await?;
    for show in &shows {
        tx.query("update streams set version = version + 1 where id = $1").bind(*show).execute().await?;
    }
    let sanctions = "update sanctions set user_id = $2, person = $3 where user_id = $1 and not exists
        (select 1 from sanctions s where s.stream = sanctions.stream and s.user_id = $2 and s.kind = sanctions.kind)";
    tx.query(sanctions).bind(from).bind(to).bind(account.person.as_str()).execute().await?;
    // In the lock order of the lines of orders.
    let lock = tx.choose(
        "select id from reservations where buyer = $1 order by id for update",
        "select id from reservations where buyer = $1 order by id",
    );
    let _reservations: Vec<Uuid> = tx.query(lock).bind(from).fetch_values().await?;
    // A key that both used stays unique: the reservation of the guest gets another one.
    let taken = tx.choose(
        "update reservations set key = 'guest:' || id::text where buyer = $1
            and exists (select 1 from reservations o where o.buyer = $2 and o.key = reservations.key)",
        "update reservations set key = 'guest:' || lower(hex(id)) where buyer = $1
            and exists (select 1 from reservations o where o.buyer = $2 and o.key = reservations.key)",
    );
    tx.query(taken).bind(from).bind(to).execute().await?;
    let reservations = "update reservations set buyer = $2, person = $3 where buyer = $1";
    tx.query(reservations).bind(from).bind(to).bind(account.person.as_str()).execute().await?;
    // A buyer has one open order in a show: that of the guest is paid on its own if the account has one.
    let orders = "update orders set buyer = $2, status = case when status = 'open' and exists
            (select 1 from orders o where o.buyer = $2 and o.stream = orders.stream and o.status = 'open')
            then 'paying' else status end,
            person = case when person is null then null else $3 end
        where buyer = $1 and id in (select r.order_id from reservations r where r.buyer = $2)";
    tx.query(orders).bind(from).bind(to).bind(account.person.as_str()).execute().await?;
    for follows in [
        "update follows set user_id = $2 where user_id = $1",
        "update follow_requests set user_id = $2 where user_id = $1",
    ] {
        tx.query(follows).bind(from).bind(to).execute().await?;
    }
    let payments = "update payments set buyer = $2 where buyer = $1
        and not exists (select 1 from payments p where p.buyer = $2 and p.key = payments.key)";
    tx.query(payments).bind(from).bind(to).execute().await?;
    let keys = "update idempotency_keys set buyer = $2 where buyer = $1 and not exists
        (select 1 from idempotency_keys k where k.buyer = $2 and k.verb = idempotency_keys.verb and k.key = idempotency_keys.key)";
    tx.query(keys).bind(from).bind(to).execute().await?;
    let alerts = "insert into stock_alerts (offer, user_id, stream, created_at)
        select offer, $2, stream, created_at from stock_alerts where user_id = $1 on conflict (offer, user_id) do nothing";
    tx.query(alerts).bind(from).bind(to).execute().await?;
    tx.query("delete from stock_alerts where user_id = $1").bind(from).execute().await?;
    join_coupons(tx, (from, to), account.person.as_str()).await?;
    tx.query("update messages set user_id = $2 where user_id = $1").bind(from).bind(to).execute().await?;
    join_customer(tx, (from, to), &account.person, account.name.as_str()).await?;
    tx.query("delete from sign_in_sessions where user_id = $1").bind(from).execute().await?;
    let ended = RevokedTokens::OfUser { user: guest.user.clone(), not_before: tx.time_of_day().await? };
    revoke_shortly(tx, guest, &ended).await?;
    Ok(shows.into_iter().map(StreamId).collect())
}

/// What the guest claimed and used counts for the account: a coupon for one use per person is not used twice.
async fn join_coupons(tx: &mut Transaction<'_>, (from, to): (&str, &str), person: &str) -> Result<()> {
    let uses = "update coupon_uses set person = $2 where order_id in
        (select r.order_id from reservations r where r.buyer = $1 and r.order_id is not null)";
    tx.query(uses).bind(to).bind(person).execute().await?;
    let claims = "update coupon_claims set user_id = $2, person = $3 where user_id = $1 and (person = $3 or not exists
        (select 1 from coupon_claims c where c.person = $3 and c.coupon = coupon_claims.coupon))";
    tx.query(claims).bind(from).bind(to).bind(person).execute().await?;
    tx.query("delete from coupon_claims where user_id = $1").bind(from).execute().await?;
    Ok(())
}

/// Ends the links to the orders of a user.
pub(super) async fn erase_order_links(tx: &mut Transaction<'_>, buyer: &UserId) -> Result<()> {
    let links = "delete from order_links where order_id in (select id from reservations where buyer = $1)";
    tx.query(links).bind(buyer.as_str()).execute().await?;
    Ok(())
}

/// Stores a link to an order in a transaction. Too many end the oldest.
pub(super) async fn add_order_link(tx: &mut Transaction<'_>, order: OrderId, secret: &SecretHash) -> Result<()> {
    let now = tx.time_of_day().await?;
    let insert = "insert into order_links (secret_hash, order_id, created_at) values ($1, $2, $3)";
    tx.query(insert).bind(&secret[..]).bind(order.0).bind(now).execute().await?;
    let oldest = "delete from order_links where secret_hash in (select secret_hash from order_links
        where order_id = $1 order by created_at desc limit 1000 offset $2)";
    tx.query(oldest).bind(order.0).bind(LINKS_OF_ORDER_MAX).execute().await?;
    Ok(())
}

impl Store {
    /// Stores a link to an order; whoever has its secret sees the order.
    pub async fn create_order_link(&self, order: OrderId, secret: &SecretHash) -> Result<()> {
        self.transaction(async |tx| add_order_link(tx, order, secret).await).await
    }

    /// The order of a link that has not ended.
    pub async fn order_of_link(&self, secret: &SecretHash) -> Result<Option<OrderId>> {
        let read = "select order_id from order_links where secret_hash = $1 and created_at > $2";
        let since = self.now().await? - ORDER_LINK_TTL_MS;
        let id: Option<Uuid> = self.query(read).bind(&secret[..]).bind(since).fetch_optional_value().await?;
        Ok(id.map(OrderId))
    }
}
