//! Customers: everybody who ordered in the shop, as the team sees them. Who holds and never pays is one, too: the team may want to block them.

use super::{EmailAddress, Language, Millis, Minor, OrderId, PersonKey, Role, UserId};

/// Customers whose names one page of a search looks at, at most.
pub const CUSTOMERS_EXAMINED_MAX: i64 = 20_000;
/// Notes of the team on one customer.
pub const NOTES_OF_CUSTOMER_MAX: i64 = 100;
/// People who are blocked in the whole shop at the same time. Every node keeps them in memory and reads them each second.
pub const BLOCKS_MAX: i64 = 10_000;
/// In characters.
pub const CUSTOMER_SEARCH_MAX: usize = 100;

/// Somebody who ordered.
#[derive(Clone, PartialEq, Debug)]
pub struct Customer {
    pub user: UserId,
    /// For whom limits and blocks hold.
    pub person: PersonKey,
    /// Empty: it was erased.
    pub name: String,
    /// The proven address of an account.
    pub email: Option<EmailAddress>,
    pub first_order: OrderId,
    pub last_order: OrderId,
    pub is_blocked: bool,
}

/// A note of the team on a customer.
#[derive(Clone, PartialEq, Debug)]
pub struct CustomerNote {
    pub id: uuid::Uuid,
    pub at: Millis,
    pub by: String,
    pub by_name: String,
    pub text: String,
}

/// A block in the whole shop.
#[derive(Clone, PartialEq, Debug)]
pub struct CustomerBlock {
    pub by: String,
    pub by_role: Role,
    pub reason: Option<String>,
    pub at: Millis,
}

/// A customer with what the team has to know.
#[derive(Clone, PartialEq, Debug)]
pub struct CustomerDetail {
    pub customer: Customer,
    /// The language of the account; `None`: the customer has none.
    pub language: Option<Language>,
    /// Paid orders that were not wholly refunded, and what their lines cost.
    pub orders_paid: i64,
    pub amount_paid: Minor,
    pub notes: Vec<CustomerNote>,
    pub block: Option<CustomerBlock>,
}
