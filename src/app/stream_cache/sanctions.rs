//! The sanctions of a stream, found by user: each message and each join asks for those of one user, among thousands.

use std::collections::HashMap;

use crate::domain::{Millis, PersonKey, Sanction, SanctionKind, UserId};

#[derive(Debug, Default)]
pub struct Sanctions {
    by_user: HashMap<UserId, Vec<Numbered>>,
    /// Users with a sanction who are another identity of a person: of most persons there is none.
    identities: HashMap<PersonKey, Vec<UserId>>,
    /// The number of the next one, so that they can be listed in order.
    next: u64,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    sanction: Sanction,
}

impl Sanctions {
    /// Keeps the order of the list.
    pub fn new(sanctions: Vec<Sanction>) -> Self {
        let mut all = Self { by_user: HashMap::with_capacity(sanctions.len()), ..Self::default() };
        sanctions.into_iter().for_each(|sanction| all.set(sanction));
        all
    }

    /// Adds a sanction, and replaces the one of its kind.
    pub fn set(&mut self, sanction: Sanction) {
        self.remove(&sanction.user, sanction.kind);
        if sanction.person.user() != &sanction.user {
            let identities = self.identities.entry(sanction.person.clone()).or_default();
            if !identities.contains(&sanction.user) {
                identities.push(sanction.user.clone());
            }
        }
        let of_user = self.by_user.entry(sanction.user.clone()).or_default();
        of_user.push(Numbered { number: self.next, sanction });
        self.next += 1;
    }

    pub fn remove(&mut self, user: &UserId, kind: SanctionKind) {
        if let Some(of_user) = self.by_user.get_mut(user) {
            of_user.retain(|numbered| numbered.sanction.kind != kind);
            if of_user.is_empty() {
                self.by_user.remove(user);
            }
        }
    }

    /// The sanctions of a user, also those whose time is over.
    pub fn of(&self, user: &UserId) -> impl Iterator<Item = &Sanction> {
        self.by_user.get(user).into_iter().flatten().map(|numbered| &numbered.sanction)
    }

    /// The sanctions of a user, and those of every other identity of this person.
    pub fn of_person<'a>(&'a self, user: &'a UserId, person: &'a PersonKey) -> impl Iterator<Item = &'a Sanction> {
        let others = self.identities.get(person).into_iter().flatten();
        let others = std::iter::once(person.user()).chain(others).filter(move |other| *other != user);
        self.of(user).chain(others.flat_map(|other| self.of(other)))
    }

    /// The sanctions that are in force, in order.
    pub fn in_force(&mut self, now: Millis) -> Vec<Sanction> {
        self.by_user.retain(|_, of_user| {
            of_user.retain(|numbered| numbered.sanction.until.is_none_or(|until| now < until));
            !of_user.is_empty()
        });
        let mut all: Vec<&Numbered> = self.by_user.values().flatten().collect();
        all.sort_unstable_by_key(|numbered| numbered.number);
        all.into_iter().map(|numbered| numbered.sanction.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Role;

    fn sanction(user: &str, kind: SanctionKind, until: Option<Millis>) -> Sanction {
        let (name, by, reason) = (user.to_owned(), "Mo".to_owned(), None);
        let user = UserId::parse(user).unwrap();
        let person = PersonKey::of_user(&user);
        Sanction { user, person, name, kind, until, by, by_role: Role::Moderator, reason }
    }

    fn users(sanctions: &[Sanction]) -> Vec<&str> {
        sanctions.iter().map(|sanction| sanction.user.as_str()).collect()
    }

    #[test]
    fn user_has_one_sanction_of_each_kind() {
        use SanctionKind::{Ban, Mute};
        let ann = UserId::parse("ann").unwrap();
        let mut all = Sanctions::new(vec![sanction("ann", Mute, Some(10)), sanction("bob", Ban, None)]);
        all.set(sanction("ann", Ban, None));
        all.set(sanction("ann", Mute, Some(20)));
        assert_eq!(all.of(&ann).map(|sanction| sanction.until).collect::<Vec<_>>(), [None, Some(20)]);
        assert_eq!(users(&all.in_force(19)), ["bob", "ann", "ann"]);
        assert_eq!(users(&all.in_force(20)), ["bob", "ann"], "the mute is over");
        all.remove(&ann, Ban);
        assert_eq!((all.of(&ann).count(), all.by_user.len()), (0, 1));
    }
}
