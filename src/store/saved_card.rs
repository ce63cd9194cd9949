//! Saved cards, the buyers as the payment provider knows them, and what is still to be deleted there.

use uuid::Uuid;

use super::transaction::Transaction;
use super::{Result, Store, require_known};
use crate::domain::saved_card::{
    CardFacts, CardReference, RemovalKind, SAVED_CARDS_MAX, SavedCard, UsedMethod, removal_pause_ms,
};
use crate::domain::{AccountId, Millis, Payment, SavedCardId, UserId};

/// A removal that a node has taken is taken again after this time, if that node has died.
const REMOVAL_LEASE_MS: Millis = 120_000;

const TAKE_ON_POSTGRES: &str = "select id, kind, reference, tries, created_at from provider_removals
    where due_at <= $1 and live = $2 order by due_at, id limit $3 for update skip locked";
const TAKE_ON_SQLITE: &str = "select id, kind, reference, tries, created_at from provider_removals
    where due_at <= $1 and live = $2 order by due_at, id limit $3";

const TAKE_LAPSED_ON_POSTGRES: &str = "select id, kind, reference, tries, created_at from provider_removals
    where created_at < $1 and live <> $2 order by created_at limit $3 for update skip locked";
const TAKE_LAPSED_ON_SQLITE: &str = "select id, kind, reference, tries, created_at from provider_removals
    where created_at < $1 and live <> $2 order by created_at limit $3";

/// A row of the removals: id, kind, reference, tries, and when it was asked for.
type RemovalRow = (Uuid, String, String, i64, i64);

/// Something that this node is to delete at the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderRemoval {
    pub id: Uuid,
    pub kind: RemovalKind,
    pub reference: String,
    /// This try is the n-th.
    pub tries: i64,
    pub created_at: Millis,
}

impl Store {
    /// The saved cards of a buyer, the newest first; `is_live`: for real money.
    pub async fn saved_cards(&self, user: &UserId, is_live: bool) -> Result<Vec<SavedCard>> {
        let read = "select s.id, s.brand, s.last4, s.exp_month, s.exp_year, s.created_at
            from payment_customers c join saved_cards s on s.customer = c.id
            where c.user_id = $1 and c.live = $2 order by s.id desc limit $3";
        type Row = (Uuid, String, String, i64, i64, i64);
        let query = self.query(read).bind(user.as_str()).bind(i64::from(is_live)).bind(SAVED_CARDS_MAX);
        let rows: Vec<Row> = query.fetch_all().await?;
        let card = |(id, brand, last4, exp_month, exp_year, created_at): Row| SavedCard {
            id: SavedCardId(id),
            facts: CardFacts { brand, last4, exp_month, exp_year },
            created_at,
        };
        Ok(rows.into_iter().map(card).collect())
    }

    /// How the provider knows a saved card of this buyer. `None`: the buyer has no such card.
    pub async fn saved_card(&self, user: &UserId, is_live: bool, id: SavedCardId) -> Result<Option<CardReference>> {
        let read = "select s.reference, c.reference from saved_cards s join payment_customers c on c.id = s.customer
            where s.id = $1 and c.user_id = $2 and c.live = $3";
        let query = self.query(read).bind(id.0).bind(user.as_str()).bind(i64::from(is_live));
        let row: Option<(String, Option<String>)> = query.fetch_optional().await?;
        Ok(row.and_then(|(method, customer)| Some(CardReference { method, customer: customer? })))
    }

    /// Removes a saved card of this buyer; a job deletes it at the provider later. `false`: the buyer has no such card.
    pub async fn remove_saved_card(&self, user: &UserId, id: SavedCardId) -> Result<bool> {
        self.transaction(async |tx| {
            let read = "select s.reference, c.live from saved_cards s join payment_customers c on c.id = s.customer
                where s.id = $1 and c.user_id = $2";
            let row: Option<(String, i64)> = tx.query(read).bind(id.0).bind(user.as_str()).fetch_optional().await?;
            let Some((reference, live)) = row else { return Ok(false) };
            remove_card(tx, id.0, &reference, live).await?;
            Ok(true)
        })
        .await
    }

    /// The buyer of an attempt, as the provider is asked for them: the id of the row, and the id at the provider, if it is known. `None`: the
    /// card of this attempt is not to be saved any more, because the buyer was erased in the meantime.
    pub async fn payment_customer(&self, payment: &Payment, is_live: bool) -> Result<Option<(Uuid, Option<String>)>> {
        self.transaction(async |tx| {
            let read = "select buyer from payments where order_id = $1 and attempt = $2";
            let query = tx.query(read).bind(payment.order.0).bind(payment.attempt);
            let buyer: Option<Option<String>> = query.fetch_optional_value().await?;
            let user = buyer.flatten().and_then(|buyer| UserId::parse(&buyer).ok());
            let Some((user, account)) = user.and_then(|user| Some((user.clone(), AccountId::of_user(&user)?))) else {
                return Ok(None);
            };
            // First the account and then the payment, as in an erasure: if that is under way, this waits, and finds neither.
            let lock = tx.choose(
                "select id from accounts where id = $1 for key share",
                "select id from accounts where id = $1",
            );
            let there: Option<Uuid> = tx.query(lock).bind(account.0).fetch_optional_value().await?;
            let lock = tx.choose(
                "select attempt from payments
                    where order_id = $1 and attempt = $2 and saves_card = 1 and customer is null for no key update",
                "select attempt from payments where order_id = $1 and attempt = $2 and saves_card = 1 and customer is null",
            );
            let query = tx.query(lock).bind(payment.order.0).bind(payment.attempt);
            let undecided: Option<i64> = query.fetch_optional_value().await?;
            if there.is_none() || undecided.is_none() {
                return Ok(None);
            }
            let (now, live) = (tx.now().await?, i64::from(is_live));
            let insert = "insert into payment_customers (id, user_id, live, created_at) values ($1, $2, $3, $4)
                on conflict (user_id, live) do nothing";
            tx.query(insert).bind(Uuid::now_v7()).bind(user.as_str()).bind(live).bind(now).execute().await?;
            let read = "select id, reference from payment_customers where user_id = $1 and live = $2";
            tx.query(read).bind(user.as_str()).bind(live).fetch_optional().await
        })
        .await
    }

    /// Notes the id at the provider. `false`: the buyer was erased in the meantime; the provider has to forget them again.
    pub async fn note_payment_customer(&self, id: Uuid, is_live: bool, reference: &str) -> Result<bool> {
        self.transaction(async |tx| {
            let set = "update payment_customers set reference = $2 where id = $1";
            if tx.query(set).bind(id).bind(reference).execute().await? > 0 {
                return Ok(true);
            }
            queue_removal(tx, RemovalKind::Customer, reference, i64::from(is_live)).await?;
            Ok(false)
        })
        .await
    }

    /// Decides once, before the first request to the provider, whether its card is saved: `customer` is the buyer there, and without one
    /// nothing is saved. A decision that was made before stays.
    pub async fn decide_card(&self, payment: &Payment, customer: Option<&str>) -> Result<()> {
        self.transaction(async |tx| {
            let set = "update payments set customer = $3, saves_card = $4
                where order_id = $1 and attempt = $2 and saves_card = 1 and customer is null";
            let query = tx.query(set).bind(payment.order.0).bind(payment.attempt).bind(customer);
            query.bind(i64::from(customer.is_some())).execute().await.map(drop)
        })
        .await
    }

    /// Saves the card of an attempt that has paid, once: a late answer does not list a card again that its owner has removed since. The same
    /// card that was saved before is replaced, because the provider has it twice now. A card that cannot be kept is deleted at the provider.
    pub async fn keep_card(
        &self,
        payment: &Payment,
        method: &UsedMethod,
        fingerprint: Option<&str>,
        is_live: bool,
    ) -> Result<()> {
        self.transaction(async |tx| {
            let live = i64::from(is_live);
            let Some(customer) = payment.card.customer.as_deref().filter(|_| payment.card.saves) else {
                return Ok(());
            };
            // First the payment and then the customer, as in an erasure.
            if !settle_card(tx, payment).await? {
                return Ok(());
            }
            // The lock keeps two payments from saving one card twice.
            let lock = tx.choose(
                "select id from payment_customers where reference = $1 for update",
                "select id from payment_customers where reference = $1",
            );
            let customer: Option<Uuid> = tx.query(lock).bind(customer).fetch_optional_value().await?;
            let (Some(customer), Some(card)) = (customer, &method.card) else {
                return queue_removal(tx, RemovalKind::Card, &method.reference, live).await;
            };
            // A node of the version before could not save it, or has saved and removed it, and the provider is about to delete it.
            let removed = "select cast(count(*) as bigint) from provider_removals where reference = $1";
            let removed: i64 = tx.query(removed).bind(&method.reference).fetch_value().await?;
            if removed > 0 {
                return Ok(());
            }
            let read = "select id, reference, fingerprint from saved_cards where customer = $1";
            let saved: Vec<(Uuid, String, Option<String>)> = tx.query(read).bind(customer).fetch_all().await?;
            if saved.iter().any(|(_, reference, _)| *reference == method.reference) {
                return Ok(());
            }
            let same = |known: &Option<String>| fingerprint.is_some() && known.as_deref() == fingerprint;
            let (replaced, others): (Vec<_>, Vec<_>) = saved.into_iter().partition(|(.., known)| same(known));
            if others.len() as i64 >= SAVED_CARDS_MAX {
                return queue_removal(tx, RemovalKind::Card, &method.reference, live).await;
            }
            for (id, reference, _) in replaced {
                remove_card(tx, id, &reference, live).await?;
            }
            let now = tx.now().await?;
            let insert =
                "insert into saved_cards (id, customer, reference, fingerprint, brand, last4, exp_month, exp_year,
                created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            let query = tx.query(insert).bind(Uuid::now_v7()).bind(customer).bind(&method.reference).bind(fingerprint);
            let query = query.bind(&card.brand).bind(&card.last4).bind(card.exp_month).bind(card.exp_year);
            query.bind(now).execute().await.map(drop)
        })
        .await
    }

    /// An attempt that was to save its card has not paid, or the card could not be saved: the provider deletes it, unless it is saved for
    /// another payment. It is not saved for this one any more.
    pub async fn drop_card(&self, payment: &Payment, method: &UsedMethod, is_live: bool) -> Result<()> {
        self.transaction(async |tx| {
            settle_card(tx, payment).await?;
            let find = "select cast(count(*) as bigint) from saved_cards where reference = $1";
            let saved: i64 = tx.query(find).bind(&method.reference).fetch_value().await?;
            if saved > 0 {
                return Ok(());
            }
            queue_removal(tx, RemovalKind::Card, &method.reference, i64::from(is_live)).await
        })
        .await
    }

    /// Forgets the saved cards of a buyer that the provider does not have any more. `there`: those that it has; `None`: it does not know the
    /// buyer, who is forgotten as well.
    pub async fn forget_lost_cards(&self, customer: &str, there: Option<&[String]>) -> Result<u64> {
        self.transaction(async |tx| {
            let read = "select s.id, s.reference from payment_customers c join saved_cards s on s.customer = c.id
                where c.reference = $1";
            let saved: Vec<(Uuid, String)> = tx.query(read).bind(customer).fetch_all().await?;
            let mut forgotten = 0;
            for (id, reference) in saved {
                if there.is_none_or(|there| !there.contains(&reference)) {
                    forgotten += tx.query("delete from saved_cards where id = $1").bind(id).execute().await?;
                }
            }
            if there.is_none() {
                let forget = "delete from payment_customers where reference = $1";
                tx.query(forget).bind(customer).execute().await?;
            }
            Ok(forgotten)
        })
        .await
    }

    /// Takes what is due to be deleted at the provider, at most `most`, and nothing that another node has taken.
    pub async fn take_removals(&self, is_live: bool, most: i64) -> Result<Vec<ProviderRemoval>> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let take = tx.choose(TAKE_ON_POSTGRES, TAKE_ON_SQLITE);
            let query = tx.query(take).bind(now).bind(i64::from(is_live)).bind(most);
            let rows: Vec<RemovalRow> = query.fetch_all().await?;
            let mut taken = Vec::with_capacity(rows.len());
            for (id, kind, reference, tries, created_at) in rows {
                let mark = "update provider_removals set tries = tries + 1, due_at = $2 where id = $1";
                tx.query(mark).bind(id).bind(now + REMOVAL_LEASE_MS).execute().await?;
                taken.push(into_removal((id, kind, reference, tries + 1, created_at))?);
            }
            Ok(taken)
        })
        .await
    }

    /// Ends removals that were asked for before `before` and that this shop cannot carry out, at most `most`. `own`: whether its key is for
    /// real money; `None`: it has no provider that keeps cards.
    pub async fn end_lapsed_removals(
        &self,
        own: Option<bool>,
        before: Millis,
        most: i64,
    ) -> Result<Vec<ProviderRemoval>> {
        self.transaction(async |tx| {
            let take = tx.choose(TAKE_LAPSED_ON_POSTGRES, TAKE_LAPSED_ON_SQLITE);
            let query = tx.query(take).bind(before).bind(own.map_or(-1, i64::from)).bind(most);
            let rows: Vec<RemovalRow> = query.fetch_all().await?;
            for (id, ..) in &rows {
                tx.query("delete from provider_removals where id = $1").bind(*id).execute().await?;
            }
            rows.into_iter().map(into_removal).collect()
        })
        .await
    }

    /// It was deleted at the provider, or nobody tries any more.
    pub async fn finish_removal(&self, removal: &ProviderRemoval) -> Result<()> {
        self.transaction(async |tx| {
            tx.query("delete from provider_removals where id = $1").bind(removal.id).execute().await.map(drop)
        })
        .await
    }

    /// The try has failed: another one comes later.
    pub async fn postpone_removal(&self, removal: &ProviderRemoval) -> Result<()> {
        self.transaction(async |tx| {
            let due_at = tx.now().await? + removal_pause_ms(removal.tries);
            let set = "update provider_removals set due_at = $2 where id = $1";
            tx.query(set).bind(removal.id).bind(due_at).execute().await.map(drop)
        })
        .await
    }

    /// When the oldest removal was asked for. `None`: nothing is to be deleted.
    pub async fn oldest_removal(&self) -> Result<Option<Millis>> {
        self.query("select min(created_at) from provider_removals").fetch_value().await
    }
}

/// Notes that the card of this attempt was saved, or will not be. `false`: that was noted before.
async fn settle_card(tx: &mut Transaction<'_>, payment: &Payment) -> Result<bool> {
    let now = tx.now().await?;
    let mark = "update payments set card_settled_at = $3
        where order_id = $1 and attempt = $2 and card_settled_at is null";
    Ok(tx.query(mark).bind(payment.order.0).bind(payment.attempt).bind(now).execute().await? > 0)
}

fn into_removal((id, kind, reference, tries, created_at): RemovalRow) -> Result<ProviderRemoval> {
    let kind = require_known(RemovalKind::parse(&kind), "kind of a removal", &kind)?;
    Ok(ProviderRemoval { id, kind, reference, tries, created_at })
}

/// Deletes a saved card here, and later at the provider.
async fn remove_card(tx: &mut Transaction<'_>, id: Uuid, reference: &str, live: i64) -> Result<()> {
    tx.query("delete from saved_cards where id = $1").bind(id).execute().await?;
    queue_removal(tx, RemovalKind::Card, reference, live).await
}

async fn queue_removal(tx: &mut Transaction<'_>, kind: RemovalKind, reference: &str, live: i64) -> Result<()> {
    let now = tx.now().await?;
    let insert = "insert into provider_removals (id, kind, reference, live, due_at, created_at)
        values ($1, $2, $3, $4, $5, $5) on conflict (reference) do nothing";
    let query = tx.query(insert).bind(Uuid::now_v7()).bind(kind.name()).bind(reference).bind(live);
    query.bind(now).execute().await.map(drop)
}

/// Erases a buyer's saved cards; the provider forgets the buyer with them later. One whose id there is not known has no cards, and the
/// provider knows nothing personal of them. Nothing is saved afterwards: an attempt that waits in the queue is marked here, a later one
/// finds no account, and one that is under way finds no customer, so its card is removed ([`Store::keep_card`]).
pub(super) async fn erase_saved_cards(tx: &mut Transaction<'_>, user: &UserId) -> Result<()> {
    if let Some(account) = AccountId::of_user(user) {
        let lock =
            tx.choose("select id from accounts where id = $1 for update", "select id from accounts where id = $1");
        let _account: Option<Uuid> = tx.query(lock).bind(account.0).fetch_optional_value().await?;
    }
    let undecided = "update payments set saves_card = 0 where buyer = $1 and saves_card = 1 and customer is null";
    tx.query(undecided).bind(user.as_str()).execute().await?;
    // The lock waits for a payment that saves its card now, so that the card is seen below.
    let read = tx.choose(
        "select id, reference, live from payment_customers where user_id = $1 for update",
        "select id, reference, live from payment_customers where user_id = $1",
    );
    let customers: Vec<(Uuid, Option<String>, i64)> = tx.query(read).bind(user.as_str()).fetch_all().await?;
    for (id, reference, live) in customers {
        tx.query("delete from saved_cards where customer = $1").bind(id).execute().await?;
        tx.query("delete from payment_customers where id = $1").bind(id).execute().await?;
        if let Some(reference) = reference {
            queue_removal(tx, RemovalKind::Customer, &reference, live).await?;
        }
    }
    Ok(())
}
