//! Who has an order of an offer, as four bytes for each buyer: millions fit into memory.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use crate::domain::UserId;

/// A set of users that may contain a user by mistake, and never lacks one that was added. Of five million, one in a thousand
/// others is taken for a buyer: such a request goes to the database like that of a buyer.
#[derive(Debug, Default)]
pub struct BuyerSet {
    digests: HashSet<u32, BuildHasherDefault<Spread>>,
    /// Another one in each set, so that nobody can choose ids that are taken for a buyer's.
    key: RandomState,
}

impl BuyerSet {
    pub fn insert(&mut self, buyer: &UserId) {
        self.digests.insert(self.digest(buyer));
    }

    pub fn may_contain(&self, buyer: &UserId) -> bool {
        self.digests.contains(&self.digest(buyer))
    }

    fn digest(&self, buyer: &UserId) -> u32 {
        // The upper half of a 64-bit hash is as good as the lower.
        (self.key.hash_one(buyer) >> 32) as u32
    }
}

/// The digests are random already; the table also looks at the upper bits.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u32(&mut self, digest: u32) {
        self.0 = u64::from(digest).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> UserId {
        UserId::parse(&format!("user-{n}")).unwrap()
    }

    #[test]
    fn every_buyer_is_found_and_hardly_anybody_else() {
        let mut buyers = BuyerSet::default();
        (0..200_000).for_each(|n| buyers.insert(&user(n)));
        assert!((0..200_000).all(|n| buyers.may_contain(&user(n))));
        let mistakes = (200_000..400_000).filter(|n| buyers.may_contain(&user(*n))).count();
        // 200,000 of 4 billion digests are taken: about 9 mistakes.
        assert!(mistakes < 60, "{mistakes} of 200,000 others are taken for buyers");
        let other = BuyerSet::default();
        assert_ne!(other.digest(&user(1)), buyers.digest(&user(1)), "each set has a key of its own");
    }
}
