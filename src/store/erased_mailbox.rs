//! Mailboxes of erased accounts: who signs in again with the same mailbox is the same person for mutes, blocks and the limits of sales.

use super::account::parse_person;
use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::{AccountId, EmailAddress, PersonKey};

/// True while a mute or a block of the person is in force, a sale in which the person bought is not over, or an order that the person
/// placed is not paid. `$p`: the person.
macro_rules! has_active_restriction {
    ($p:literal, $now:literal) => {
        concat!(
            "(exists (select 1 from sanctions s where s.person = ",
            $p,
            " and (s.until is null or s.until > ",
            $now,
            ")) or exists (select 1 from offers o where o.stage <> 'closed' and exists
                (select 1 from reservations r where r.offer = o.id and r.person = ",
            $p,
            ")) or exists (select 1 from orders u where u.status = 'placed' and u.person = ",
            $p,
            "))"
        )
    };
}

/// Keeps the mailbox of an account that is about to be erased, as a hash, if its person has an active restriction. Gives how many were kept.
pub(super) async fn keep_mailbox(tx: &mut Transaction<'_>, account: AccountId) -> Result<u64> {
    let now = tx.time_of_day().await?;
    let read = concat!(
        "select a.email, a.person from accounts a where a.id = $1 and a.email is not null and ",
        has_active_restriction!("a.person", "$2")
    );
    let found: Option<(String, String)> = tx.query(read).bind(account.0).bind(now).fetch_optional().await?;
    let Some((email, person)) = found else { return Ok(0) };
    let email = EmailAddress::parse(&email)?;
    let keep = "insert into erased_mailboxes (mailbox_hash, person, erased_at) values ($1, $2, $3)
        on conflict (mailbox_hash) do update set person = excluded.person, erased_at = excluded.erased_at";
    tx.query(keep).bind(&email.mailbox_hash()[..]).bind(person).bind(now).execute().await
}

/// The person of an erased account of this mailbox.
pub(super) async fn person_of_erased_mailbox(
    tx: &mut Transaction<'_>,
    email: &EmailAddress,
) -> Result<Option<PersonKey>> {
    let read = "select person from erased_mailboxes where mailbox_hash = $1";
    let person: Option<String> = tx.query(read).bind(&email.mailbox_hash()[..]).fetch_optional_value().await?;
    person.map(|person| parse_person(&person)).transpose()
}

impl Store {
    /// Deletes the oldest hashes of mailboxes whose persons have no active restriction any more, `most` at most. Gives how many were deleted.
    pub async fn delete_erased_mailboxes(&self, most: i64) -> Result<u64> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let delete = concat!(
                "delete from erased_mailboxes where mailbox_hash in
                    (select e.mailbox_hash from erased_mailboxes e where not ",
                has_active_restriction!("e.person", "$1"),
                " order by e.erased_at limit $2)"
            );
            tx.query(delete).bind(now).bind(most).execute().await
        })
        .await
    }
}
