//! Saved views: filters of the seller's desk to which a member of the team gave a name.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Refusal, text};

/// Views that one user may save.
pub const SAVED_VIEWS_MAX: i64 = 30;
const NAME_LENGTH_MAX: usize = 40;
/// Characters of the filters.
pub const QUERY_LENGTH_MAX: usize = 500;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SavedView {
    /// 1 to 40 visible characters on one line.
    pub name: String,
    /// The filters, as the address of the desk has them: at most 500 characters.
    pub query: String,
}

impl SavedView {
    pub fn validated(name: &str, query: &str) -> Result<Self, Refusal> {
        let name = text::single_line(name, NAME_LENGTH_MAX);
        let name = name.ok_or_else(|| Refusal::bad_field("name", "must have 1 to 40 visible characters."))?;
        let is_query = query.len() <= QUERY_LENGTH_MAX && query.bytes().all(|byte| byte.is_ascii_graphic());
        match is_query {
            true => Ok(Self { name, query: query.to_owned() }),
            false => Err(Refusal::bad_field("query", "must be a query of at most 500 visible ASCII characters.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn view_has_a_name_on_one_line_and_a_query_of_an_address() {
        let view = SavedView::validated(" To  pack ", "fulfilment=unfulfilled&search=%D8%B3").unwrap();
        assert_eq!((view.name.as_str(), view.query.as_str()), ("To pack", "fulfilment=unfulfilled&search=%D8%B3"));
        assert!(SavedView::validated("all", "").is_ok());
        let (long_name, long_query) = ("n".repeat(41), "q".repeat(501));
        for (name, query) in
            [("", ""), (&*long_name, ""), ("a", "two words"), ("a", "\n"), ("a", "سارة"), ("a", &*long_query)]
        {
            assert!(SavedView::validated(name, query).is_err(), "{name:?} {query:?}");
        }
    }
}
