//! Customers: everybody who ordered, with the notes of the team on them, and blocks, which hold in the whole shop.
//!
//! A block is a ban whose show is [`AuditEntry::WHOLE_SHOP`]: it binds a person in every show.

use std::collections::HashMap;

use uuid::Uuid;

use super::account::{parse_email, parse_person};
use super::audit::insert_audit_entry;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, ids_to_json, require_known};
use crate::domain::customer::{
    BLOCKS_MAX, CUSTOMERS_EXAMINED_MAX, Customer, CustomerBlock, CustomerDetail, CustomerNote, NOTES_OF_CUSTOMER_MAX,
};
use crate::domain::{
    AccountId, AuditEntry, EmailAddress, OrderId, PersonKey, Refusal, Role, Sanction, SanctionKind, UserId, blocklist,
};

struct CustomerRow {
    user_id: String,
    person: String,
    name: String,
    first_order: Uuid,
    last_order: Uuid,
    is_blocked: bool,
}

from_row!(CustomerRow { user_id, person, name, first_order, last_order, is_blocked });

impl CustomerRow {
    fn into_customer(self) -> Result<Customer> {
        Ok(Customer {
            user: UserId::parse(&self.user_id).map_err(|_| Error::CorruptRow(format!("user `{}`", self.user_id)))?,
            person: parse_person(&self.person)?,
            name: self.name,
            email: None,
            first_order: OrderId(self.first_order),
            last_order: OrderId(self.last_order),
            is_blocked: self.is_blocked,
        })
    }
}

struct BlockRow {
    by_user: String,
    by_role: String,
    reason: Option<String>,
    created_at: i64,
}

from_row!(BlockRow { by_user, by_role, reason, created_at });

impl BlockRow {
    fn into_block(self) -> Result<CustomerBlock> {
        let by_role = require_known(Role::parse(&self.by_role), "role", &self.by_role)?;
        Ok(CustomerBlock { by: self.by_user, by_role, reason: self.reason, at: self.created_at })
    }
}

/// `$from`: the customers of which some are chosen. `$1`: the show that represents the whole shop.
macro_rules! customers {
    ($from:literal, $rest:literal) => {
        concat!(
            "select c.user_id, c.person, c.name, c.first_order, c.last_order, exists (select 1 from sanctions s
                where s.person = c.person and s.kind = 'ban' and s.stream = $1) as is_blocked from ",
            $from,
            " c ",
            $rest
        )
    };
}

/// A customer who ordered something, for the list of customers.
#[derive(Clone, Debug)]
pub(super) struct SeenCustomer {
    pub user: String,
    pub person: String,
    pub name: String,
    pub first_order: Uuid,
    pub last_order: Uuid,
}

/// Adds customers to the list, or brings their rows up to date.
pub(super) async fn add_customers(tx: &mut Transaction<'_>, seen: &[SeenCustomer]) -> Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = seen
        .iter()
        .map(|one| {
            let (first, last) = (one.first_order.simple().to_string(), one.last_order.simple().to_string());
            (&one.user, &one.person, &one.name, blocklist::fold(&one.name), first, last)
        })
        .collect();
    let rows = serde_json::to_string(&rows).map_err(|error| Error::CorruptRow(error.to_string()))?;
    // A row that is older than the one that is stored changes no name.
    let add = tx.choose(
        "insert into customers (user_id, person, name, search, first_order, last_order)
            select v->>0, v->>1, v->>2, v->>3, (v->>4)::uuid, (v->>5)::uuid from json_array_elements($1::json) v
            on conflict (user_id) do update set person = excluded.person,
                name = case when excluded.last_order > customers.last_order then excluded.name else customers.name end,
                search = case when excluded.last_order > customers.last_order then excluded.search else customers.search end,
                first_order = least(customers.first_order, excluded.first_order),
                last_order = greatest(customers.last_order, excluded.last_order)",
        "insert into customers (user_id, person, name, search, first_order, last_order)
            select value->>0, value->>1, value->>2, value->>3, unhex(value->>4), unhex(value->>5)
            from json_each($1) where true
            on conflict (user_id) do update set person = excluded.person,
                name = case when excluded.last_order > customers.last_order then excluded.name else customers.name end,
                search = case when excluded.last_order > customers.last_order then excluded.search else customers.search end,
                first_order = min(customers.first_order, excluded.first_order),
                last_order = max(customers.last_order, excluded.last_order)",
    );
    tx.query(add).bind(rows).execute().await.map(drop)
}

/// A guest has joined an account: what the guest bought is in the list of the account, and the notes on the guest are about it.
pub(super) async fn join_customer(
    tx: &mut Transaction<'_>,
    (from, to): (&str, &str),
    person: &PersonKey,
    name: &str,
) -> Result<()> {
    tx.query("update customer_notes set user_id = $2 where user_id = $1").bind(from).bind(to).execute().await?;
    let read = "select first_order, last_order from customers where user_id = $1";
    let row: Option<(Uuid, Uuid)> = tx.query(read).bind(from).fetch_optional().await?;
    let Some((first_order, last_order)) = row else { return Ok(()) };
    tx.query("delete from customers where user_id = $1").bind(from).execute().await?;
    let (user, person, name) = (to.to_owned(), person.as_str().to_owned(), name.to_owned());
    add_customers(tx, &[SeenCustomer { user, person, name, first_order, last_order }]).await
}

/// Takes the name and the notes of a customer whose data is erased. Gives how many notes there were.
pub(super) async fn erase_customer(tx: &mut Transaction<'_>, user: &UserId) -> Result<u64> {
    let user = user.as_str();
    tx.query("update customers set name = '', search = '' where user_id = $1").bind(user).execute().await?;
    tx.query("update customer_notes set by_name = '' where by_user = $1").bind(user).execute().await?;
    tx.query("delete from customer_notes where user_id = $1").bind(user).execute().await
}

impl Store {
    /// A page of the customers whose newest order is before `after`, the newest first. With `search`: those whose name has this
    /// part, or whose address this is. Such a page looks at [`CUSTOMERS_EXAMINED_MAX`] customers at most; the second value is where
    /// the next one begins, also when this one is short.
    pub async fn customers(
        &self,
        search: &str,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<(Vec<Customer>, Option<OrderId>)> {
        if let Ok(email) = EmailAddress::parse(search) {
            let account = self.account_by_email(&email).await?.filter(|_| after.is_none());
            let found = match account {
                Some(account) => self.customer(&account.id.user()).await?,
                None => None,
            };
            return Ok((found.into_iter().collect(), None));
        }
        let before = after.map_or(Uuid::max(), |id| id.0);
        let folded = blocklist::fold(search);
        let read = customers!(
            "(select * from customers where last_order < $2 order by last_order desc limit $3)",
            "where $4 = '' or c.search like $4 escape '!' order by c.last_order desc limit $5"
        );
        let examined = if folded.is_empty() { limit + 1 } else { CUSTOMERS_EXAMINED_MAX };
        let rows: Vec<CustomerRow> = self
            .report_query(read)
            .bind(AuditEntry::WHOLE_SHOP.0)
            .bind(before)
            .bind(examined)
            .bind(pattern(&folded))
            .bind(limit + 1)
            .fetch_all()
            .await?;
        let is_full = limit < rows.len() as i64;
        let mut found = rows.into_iter().map(CustomerRow::into_customer).collect::<Result<Vec<_>>>()?;
        found.truncate(usize::try_from(limit).unwrap_or_default());
        let next = match found.last().filter(|_| is_full) {
            Some(last) => Some(last.last_order),
            None if folded.is_empty() => None,
            None => {
                let last = "select last_order from customers where last_order < $1
                    order by last_order desc limit 1 offset $2";
                let last = self.report_query(last).bind(before).bind(CUSTOMERS_EXAMINED_MAX - 1);
                last.fetch_optional_value().await?.map(OrderId)
            }
        };
        self.add_emails(&mut found).await?;
        Ok((found, next))
    }

    async fn add_emails(&self, customers: &mut [Customer]) -> Result<()> {
        let read = self.choose(
            "select id, email from accounts where email is not null
                and id = any (array(select json_array_elements_text($1::json)::uuid))",
            "select id, email from accounts where email is not null and id in (select unhex(value) from json_each($1))",
        );
        let accounts = customers.iter().filter_map(|one| AccountId::of_user(&one.user));
        let ids = ids_to_json(accounts.map(|account| account.0))?;
        let rows: Vec<(Uuid, String)> = self.query(read).bind(ids).fetch_all().await?;
        let mut emails: HashMap<UserId, String> =
            rows.into_iter().map(|(id, email)| (AccountId(id).user(), email)).collect();
        for customer in customers {
            customer.email = parse_email(emails.remove(&customer.user))?;
        }
        Ok(())
    }

    async fn customer(&self, user: &UserId) -> Result<Option<Customer>> {
        let read = customers!("customers", "where c.user_id = $2");
        let row: Option<CustomerRow> =
            self.query(read).bind(AuditEntry::WHOLE_SHOP.0).bind(user.as_str()).fetch_optional().await?;
        let mut found: Vec<Customer> = row.map(CustomerRow::into_customer).transpose()?.into_iter().collect();
        self.add_emails(&mut found).await?;
        Ok(found.pop())
    }

    /// What the team sees of one customer. `None`: this user bought nothing, or a moment ago.
    pub async fn customer_detail(&self, user: &UserId) -> Result<Option<CustomerDetail>> {
        let Some(customer) = self.customer(user).await? else { return Ok(None) };
        let read =
            "select cast(count(distinct order_id) as bigint), cast(coalesce(sum(amount - discount), 0) as bigint)
            from reservations where buyer = $1 and status = 'sold' and returned < qty";
        let (orders_paid, amount_paid): (i64, i64) = self.report_query(read).bind(user.as_str()).fetch_one().await?;
        let language = match AccountId::of_user(user) {
            Some(account) => self.account(account).await?.map(|account| account.language),
            None => None,
        };
        let (notes, block) = (self.customer_notes(user).await?, self.block_of(&customer.person).await?);
        Ok(Some(CustomerDetail { customer, language, orders_paid, amount_paid, notes, block }))
    }

    /// The notes on a customer, oldest first.
    async fn customer_notes(&self, user: &UserId) -> Result<Vec<CustomerNote>> {
        let read =
            "select id, at, by_user, by_name, body from customer_notes where user_id = $1 order by at, id limit $2";
        let rows: Vec<(Uuid, i64, String, String, String)> =
            self.query(read).bind(user.as_str()).bind(NOTES_OF_CUSTOMER_MAX).fetch_all().await?;
        Ok(rows.into_iter().map(|(id, at, by, by_name, text)| CustomerNote { id, at, by, by_name, text }).collect())
    }

    /// Adds a note. An id that is known already changes nothing, so a retry is safe.
    pub async fn add_customer_note(&self, user: &UserId, note: &CustomerNote) -> Result<()> {
        self.transaction(async |tx| {
            tx.lock_name("customer notes").await?;
            let count = "select cast(count(*) as bigint) from customer_notes where user_id = $1 and id <> $2";
            let count: i64 = tx.query(count).bind(user.as_str()).bind(note.id).fetch_value().await?;
            if NOTES_OF_CUSTOMER_MAX <= count {
                return Err(Refusal::bad_field("text", "cannot be added: the customer has 100 notes.").into());
            }
            let insert = "insert into customer_notes (id, user_id, at, by_user, by_name, body)
                values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing";
            let insert = tx.query(insert).bind(note.id).bind(user.as_str()).bind(note.at);
            insert.bind(&note.by).bind(&note.by_name).bind(&note.text).execute().await.map(drop)
        })
        .await
    }

    /// The block of a person: the one by the highest role, where several of their identities are blocked.
    async fn block_of(&self, person: &PersonKey) -> Result<Option<CustomerBlock>> {
        let read = "select by_user, by_role, reason, created_at from sanctions
            where person = $1 and kind = 'ban' and stream = $2";
        let rows: Vec<BlockRow> =
            self.query(read).bind(person.as_str()).bind(AuditEntry::WHOLE_SHOP.0).fetch_all().await?;
        let blocks = rows.into_iter().map(BlockRow::into_block).collect::<Result<Vec<_>>>()?;
        Ok(blocks.into_iter().reduce(|a, b| if b.by_role.outranks(a.by_role) { b } else { a }))
    }

    /// Everybody who is blocked in the whole shop, with the role that did it.
    pub async fn shop_blocks(&self) -> Result<Vec<(PersonKey, Role)>> {
        let read = "select person, by_role from sanctions where stream = $1 and kind = 'ban' limit $2";
        let rows: Vec<(String, String)> =
            self.query(read).bind(AuditEntry::WHOLE_SHOP.0).bind(BLOCKS_MAX).fetch_all().await?;
        let parse = |(person, role): (String, String)| {
            Ok((parse_person(&person)?, require_known(Role::parse(&role), "role", &role)?))
        };
        rows.into_iter().map(parse).collect()
    }

    /// The roles that a user has in the whole shop or in a show, as a member of the staff or as a helper.
    pub async fn roles_anywhere(&self, user: &UserId) -> Result<Vec<Role>> {
        let helpers = "select distinct i.role from helpers h join invites i on i.id = h.invite where h.user_id = $1";
        let roles: Vec<String> = self.query(helpers).bind(user.as_str()).fetch_values().await?;
        let mut roles: Vec<Role> = roles.iter().filter_map(|role| Role::parse(role)).collect();
        if let Some(account) = AccountId::of_user(user) {
            roles.extend(self.staff_roles(account).await?.into_iter().map(|place| place.role));
        }
        Ok(roles)
    }

    /// Blocks a person in the whole shop. Refused if somebody of a higher rank did it before, and when too many are blocked.
    pub async fn add_shop_block(&self, sanction: &Sanction, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            lock_blocks(tx).await?;
            let now = tx.now().await?;
            for by_role in blocking_roles(tx, &sanction.person).await? {
                Sanction::check_change(sanction.by_role, by_role)?;
            }
            let count = "select cast(count(*) as bigint) from sanctions where stream = $1 and kind = 'ban'";
            let count: i64 = tx.query(count).bind(AuditEntry::WHOLE_SHOP.0).fetch_value().await?;
            if BLOCKS_MAX <= count {
                return Err(Refusal::WrongStatus("There are too many blocks; lift some first.").into());
            }
            let set = "insert into sanctions
                (stream, user_id, kind, user_name, until, by_user, created_at, reason, by_role, person)
                values ($1, $2, $3, $4, null, $5, $6, $7, $8, $9) on conflict (stream, user_id, kind)
                do update set by_user = excluded.by_user, user_name = excluded.user_name,
                created_at = excluded.created_at, reason = excluded.reason, by_role = excluded.by_role";
            tx.query(set)
                .bind(AuditEntry::WHOLE_SHOP.0)
                .bind(sanction.user.as_str())
                .bind(SanctionKind::Ban.name())
                .bind(&sanction.name)
                .bind(&sanction.by)
                .bind(now)
                .bind(&sanction.reason)
                .bind(sanction.by_role.name())
                .bind(sanction.person.as_str())
                .execute()
                .await?;
            insert_audit_entry(tx, entry).await
        })
        .await
    }

    /// Lifts the block of a person. `false`: there was none. Refused if somebody of a higher rank imposed it.
    pub async fn lift_shop_block(&self, person: &PersonKey, entry: &AuditEntry) -> Result<bool> {
        self.transaction(async |tx| {
            lock_blocks(tx).await?;
            for by_role in blocking_roles(tx, person).await? {
                Sanction::check_change(entry.by.role, by_role)?;
            }
            let lift = "delete from sanctions where person = $1 and kind = 'ban' and stream = $2";
            let lift = tx.query(lift).bind(person.as_str()).bind(AuditEntry::WHOLE_SHOP.0);
            let lifted = lift.execute().await? > 0;
            if lifted {
                insert_audit_entry(tx, entry).await?;
            }
            Ok(lifted)
        })
        .await
    }
}

/// One change of the blocks at a time.
async fn lock_blocks(tx: &mut Transaction<'_>) -> Result<()> {
    tx.lock_name("shop blocks").await
}

async fn blocking_roles(tx: &mut Transaction<'_>, person: &PersonKey) -> Result<Vec<Role>> {
    let read = "select by_role from sanctions where person = $1 and kind = 'ban' and stream = $2";
    let roles: Vec<String> = tx.query(read).bind(person.as_str()).bind(AuditEntry::WHOLE_SHOP.0).fetch_values().await?;
    roles.iter().map(|role| require_known(Role::parse(role), "role", role)).collect()
}

/// A pattern for texts with this part; empty: every text.
fn pattern(part: &str) -> String {
    if part.is_empty() {
        return String::new();
    }
    let escaped: String =
        part.chars().flat_map(|c| ['!'].into_iter().filter(move |_| "!%_".contains(c)).chain([c])).collect();
    format!("%{escaped}%")
}
