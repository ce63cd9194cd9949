//! Signs and checks admission tickets with the auth keys, which all nodes share: a ticket of one node is valid on every other.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::address_key::AddressKey;
use crate::domain::{AdmissionTicket, MAC_BYTES, Millis, StreamId, UserId};

/// No token that is signed with the same key begins like this.
const PURPOSE: &[u8] = b"livesouk admission ticket v1\0";

/// Whose ticket it is: one user, or the anonymous users of one address, in one show.
#[derive(Clone, Copy, Debug)]
pub struct TicketHolder<'a> {
    pub stream: StreamId,
    pub user: Option<&'a UserId>,
    /// `None`: a proxy that does not name its clients.
    pub address: Option<AddressKey>,
}

impl TicketHolder<'_> {
    fn update(&self, mac: &mut Hmac<Sha256>) {
        mac.update(self.stream.0.as_bytes());
        match (self.user, self.address) {
            (Some(user), _) => {
                mac.update(b"user ");
                mac.update(user.as_str().as_bytes());
            }
            (None, Some(AddressKey::V4(bits))) => {
                mac.update(b"v4 ");
                mac.update(&bits.to_be_bytes());
            }
            (None, Some(AddressKey::V6(bits))) => {
                mac.update(b"v6 ");
                mac.update(&bits.to_be_bytes());
            }
            (None, None) => mac.update(b"any"),
        }
    }
}

/// The first key signs, all verify, so that keys can be rotated.
#[derive(Clone)]
pub struct TicketKeys(Vec<Hmac<Sha256>>);

impl TicketKeys {
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let keyed = |key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
            mac.update(PURPOSE);
            mac
        };
        Self(keys.into_iter().map(keyed).collect())
    }

    /// `None` if there is no key.
    pub fn sign(&self, due_at: Millis, holder: &TicketHolder<'_>) -> Option<AdmissionTicket> {
        let key = self.0.first()?;
        Some(AdmissionTicket::new(due_at, rand::random(), |body| {
            let mac = with_body(key, holder, body).finalize().into_bytes();
            std::array::from_fn::<u8, MAC_BYTES, _>(|at| mac[at])
        }))
    }

    /// Whether this server, or another node of the shop, gave this ticket to this holder.
    pub fn verify(&self, ticket: &AdmissionTicket, holder: &TicketHolder<'_>) -> bool {
        self.0.iter().any(|key| with_body(key, holder, ticket.body()).verify_truncated_left(ticket.mac()).is_ok())
    }
}

impl std::fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

fn with_body(key: &Hmac<Sha256>, holder: &TicketHolder<'_>, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(body);
    holder.update(&mut mac);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_is_good_only_for_its_holder_and_on_every_node_with_the_key() {
        let keys = |all: &[&str]| TicketKeys::new(all.iter().map(|key| key.as_bytes()));
        let (here, rotated, elsewhere) = (keys(&["one"]), keys(&["two", "one"]), keys(&["two"]));
        let (ann, bob) = (UserId::parse("ann").unwrap(), UserId::parse("bob").unwrap());
        let (stream, address) = (StreamId::new(), Some(AddressKey::V4(1)));
        let holder = TicketHolder { stream, user: Some(&ann), address };
        let ticket = here.sign(5_000, &holder).unwrap();
        assert!(here.verify(&ticket, &holder) && rotated.verify(&ticket, &holder));
        assert!(here.verify(&ticket, &TicketHolder { address: Some(AddressKey::V4(2)), ..holder }), "a phone moves");
        assert!(!elsewhere.verify(&ticket, &holder));
        for other in [
            TicketHolder { user: Some(&bob), ..holder },
            TicketHolder { user: None, ..holder },
            TicketHolder { stream: StreamId::new(), ..holder },
        ] {
            assert!(!here.verify(&ticket, &other), "{other:?}");
        }
        let anonymous = TicketHolder { user: None, ..holder };
        let ticket = here.sign(5_000, &anonymous).unwrap();
        assert!(here.verify(&ticket, &anonymous));
        assert!(!here.verify(&ticket, &TicketHolder { address: Some(AddressKey::V4(2)), ..anonymous }));
        assert!(!here.verify(&ticket, &TicketHolder { address: Some(AddressKey::V6(1)), ..anonymous }));
        let forged = ticket.to_string().replacen('0', "1", 1);
        assert!(!here.verify(&AdmissionTicket::parse(&forged).unwrap(), &anonymous), "another time");
    }
}
