//! API keys: secrets for programs of the shop. A key has scopes, and what no scope allows is refused: the staff, settings and personal
//! data are for people only.

use sha2::{Digest, Sha256};

use super::account::API_KEY_PREFIX;
use super::{AccountId, Actor, ApiKeyId, Millis, Name, Refusal, Role, SecretHash, TokenId, TokenStamp, UserId};

/// How every key begins. It names the product and the kind, so that tools which look for leaked secrets find it.
const SECRET_PREFIX: &str = "lsk_live_";
/// 32 random bytes in base 62.
const RANDOM_DIGITS: usize = 43;
/// A CRC-32 in base 62: a mistyped key is recognized without the database.
const CHECKSUM_DIGITS: usize = 6;
/// In characters.
pub const SECRET_LENGTH: usize = SECRET_PREFIX.len() + RANDOM_DIGITS + CHECKSUM_DIGITS;

/// Keys of a shop that are in force at the same time.
pub const API_KEYS_MAX: i64 = 50;
/// Keys of one name that are in force at the same time: the old one and the new one while a program changes over.
pub const API_KEYS_OF_NAME_MAX: i64 = 2;
/// How long a key that was replaced works, if nothing else is asked for.
pub const ROTATION_DEFAULT_H: i64 = 24;
/// How long a key that has ended is listed.
pub const ENDED_KEY_KEPT_MS: Millis = 90 * 86_400_000;
/// The last use of a key is rounded to this, and written at most so often.
pub const LAST_USE_STEP_MS: Millis = 60_000;
/// The requests of one key on one node: a second on average, and at once.
pub const REQUESTS_PER_S: f64 = 10.0;
pub const REQUESTS_BURST: f64 = 50.0;

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The secret of a key, which is shown once. Only its hash is stored: with 256 random bits, a fast hash is enough.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    /// `bytes` must be random.
    pub fn new(bytes: [u8; 32]) -> Self {
        let begin = format!("{SECRET_PREFIX}{}", base_62(&bytes, RANDOM_DIGITS));
        let checksum = checksum(&begin);
        Self(begin + &checksum)
    }

    /// Whether a bearer token is meant as an API key.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("lsk_")
    }

    /// A bearer token that has the form of a key and the right checksum.
    pub fn parse(text: &str) -> Option<Self> {
        let has_form = text.len() == SECRET_LENGTH && text.is_ascii() && text.starts_with(SECRET_PREFIX);
        if !has_form {
            return None;
        }
        let (begin, end) = text.split_at(text.len() - CHECKSUM_DIGITS);
        (checksum(begin) == end).then(|| Self(text.to_owned()))
    }

    pub fn hash(&self) -> SecretHash {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// What a list shows of it: the prefix and the last four characters.
    pub fn hint(&self) -> String {
        format!("{SECRET_PREFIX}…{}", &self.0[self.0.len() - 4..])
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not derived: a secret must not get into a log.
impl std::fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKeySecret(…)")
    }
}

fn checksum(text: &str) -> String {
    base_62(&crc32fast::hash(text.as_bytes()).to_be_bytes(), CHECKSUM_DIGITS)
}

/// A large number, its highest byte first, in `digits` digits to the base 62.
fn base_62(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut text: Vec<u8> = (0..digits)
        .map(|_| {
            let rest = number.iter_mut().fold(0_u32, |rest, byte| {
                let part = rest * 256 + u32::from(*byte);
                *byte = (part / 62) as u8;
                part % 62
            });
            BASE_62[rest as usize]
        })
        .collect();
    text.reverse();
    text.into_iter().map(char::from).collect()
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $scope:ident $name:literal,)*) => {
        /// What a key may be used for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum ApiScope {
            $($(#[$doc])* $scope,)*
        }

        impl ApiScope {
            pub const ALL: &[ApiScope] = &[$(ApiScope::$scope,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(ApiScope::$scope => $name,)*
                }
            }
        }
    };
}

scopes! {
    ReadProducts "products:read",
    WriteProducts "products:write",
    /// Stock has a scope of its own: a warehouse changes no prices.
    WriteStock "stock:write",
    /// Shows, their reports included.
    ReadShows "shows:read",
    WriteShows "shows:write",
    ReadOffers "offers:read",
    WriteOffers "offers:write",
    /// Orders with the addresses of their buyers.
    ReadOrders "orders:read",
    /// Fulfilment, notes and tags.
    WriteOrders "orders:write",
    /// By itself: refunds, the payment or the end of a placed order, and the end of a dispute. They move money and stock, or say that it moved.
    Refund "refunds:write",
}

impl ApiScope {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.name() == text)
    }

    /// The scopes of a key for which none were chosen: reading only.
    pub fn defaults() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|scope| scope.name().ends_with(":read")).collect()
    }
}

/// Checks the scopes that somebody chose: at least one, each once.
pub fn parse_scopes(given: &[String]) -> Result<Vec<ApiScope>, Refusal> {
    let parse = |text: &String| {
        ApiScope::parse(text).ok_or_else(|| Refusal::bad_field("scopes", "has a scope that does not exist."))
    };
    let mut scopes: Vec<ApiScope> = given.iter().map(parse).collect::<Result<_, _>>()?;
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() { Err(Refusal::bad_field("scopes", "must have at least one scope.")) } else { Ok(scopes) }
}

/// The routes that a key may use. `{}` represents one part of the path.
const ROUTES: &[(&str, &str, ApiScope)] = &[
    ("GET", "/v1/products", ApiScope::ReadProducts),
    ("GET", "/v1/products/{}", ApiScope::ReadProducts),
    ("GET", "/v1/products/{}/pictures", ApiScope::ReadProducts),
    ("GET", "/v1/variants/{}/stock-changes", ApiScope::ReadProducts),
    ("GET", "/v1/variants/{}/price-changes", ApiScope::ReadProducts),
    ("GET", "/v1/catalogue/{}", ApiScope::ReadProducts),
    ("GET", "/v1/variants", ApiScope::ReadProducts),
    ("GET", "/v1/imports", ApiScope::ReadProducts),
    ("GET", "/v1/imports/{}", ApiScope::ReadProducts),
    ("GET", "/v1/imports/{}/products", ApiScope::ReadProducts),
    ("POST", "/v1/products", ApiScope::WriteProducts),
    ("PATCH", "/v1/products/{}", ApiScope::WriteProducts),
    ("PUT", "/v1/products/{}/pictures", ApiScope::WriteProducts),
    ("POST", "/v1/products/{}/archive", ApiScope::WriteProducts),
    ("POST", "/v1/products/{}/restore", ApiScope::WriteProducts),
    ("POST", "/v1/pictures", ApiScope::WriteProducts),
    ("POST", "/v1/bulk-edits", ApiScope::WriteProducts),
    ("POST", "/v1/imports", ApiScope::WriteProducts),
    ("POST", "/v1/imports/{}/apply", ApiScope::WriteProducts),
    ("POST", "/v1/imports/{}/cancel", ApiScope::WriteProducts),
    ("POST", "/v1/imports/{}/undo", ApiScope::WriteProducts),
    ("POST", "/v1/variants/{}/restock", ApiScope::WriteStock),
    ("POST", "/v1/variants/{}/stock-changes", ApiScope::WriteStock),
    ("GET", "/v1/streams/{}/report", ApiScope::ReadShows),
    ("GET", "/v1/streams/{}/report/full", ApiScope::ReadShows),
    ("GET", "/v1/streams/{}/report.csv", ApiScope::ReadShows),
    ("POST", "/v1/streams", ApiScope::WriteShows),
    ("PATCH", "/v1/streams/{}", ApiScope::WriteShows),
    ("POST", "/v1/streams/{}/cancel", ApiScope::WriteShows),
    ("POST", "/v1/streams/{}/copies", ApiScope::WriteShows),
    ("POST", "/v1/streams/{}/series", ApiScope::WriteShows),
    ("POST", "/v1/streams/{}/start", ApiScope::WriteShows),
    ("POST", "/v1/streams/{}/end", ApiScope::WriteShows),
    ("GET", "/v1/streams/{}/offers", ApiScope::ReadOffers),
    ("GET", "/v1/offers/{}", ApiScope::ReadOffers),
    ("POST", "/v1/streams/{}/offers", ApiScope::WriteOffers),
    ("POST", "/v1/streams/{}/quick-items", ApiScope::WriteOffers),
    ("PUT", "/v1/streams/{}/lineup", ApiScope::WriteOffers),
    ("PUT", "/v1/streams/{}/pin", ApiScope::WriteOffers),
    ("DELETE", "/v1/streams/{}/pin", ApiScope::WriteOffers),
    ("PUT", "/v1/offers/{}/schedule", ApiScope::WriteOffers),
    ("PUT", "/v1/offers/{}/pay-later", ApiScope::WriteOffers),
    ("POST", "/v1/offers/{}/open", ApiScope::WriteOffers),
    ("POST", "/v1/offers/{}/pause", ApiScope::WriteOffers),
    ("POST", "/v1/offers/{}/close", ApiScope::WriteOffers),
    ("POST", "/v1/offers/{}/restock", ApiScope::WriteOffers),
    ("POST", "/v1/offers/{}/extend", ApiScope::WriteOffers),
    ("PUT", "/v1/streams/{}/coupon", ApiScope::WriteOffers),
    ("DELETE", "/v1/streams/{}/coupon", ApiScope::WriteOffers),
    ("GET", "/v1/shop/coupons", ApiScope::ReadOffers),
    ("GET", "/v1/shop/coupons/{}", ApiScope::ReadOffers),
    ("POST", "/v1/shop/coupons", ApiScope::WriteOffers),
    ("PATCH", "/v1/shop/coupons/{}", ApiScope::WriteOffers),
    ("GET", "/v1/shop/orders", ApiScope::ReadOrders),
    ("GET", "/v1/shop/orders/{}", ApiScope::ReadOrders),
    ("GET", "/v1/shop/order-tags", ApiScope::ReadOrders),
    ("GET", "/v1/shop/export/{}", ApiScope::ReadOrders),
    ("GET", "/v1/shop/documents", ApiScope::ReadOrders),
    ("GET", "/v1/shop/payment-days", ApiScope::ReadOrders),
    ("GET", "/v1/shop/payment-days.csv", ApiScope::ReadOrders),
    ("GET", "/v1/shop/documents/{}", ApiScope::ReadOrders),
    ("GET", "/v1/orders/{}/documents", ApiScope::ReadOrders),
    ("GET", "/v1/streams/{}/orders", ApiScope::ReadOrders),
    ("GET", "/v1/orders/{}/address", ApiScope::ReadOrders),
    ("PUT", "/v1/orders/{}/packed", ApiScope::WriteOrders),
    ("DELETE", "/v1/orders/{}/packed", ApiScope::WriteOrders),
    ("PUT", "/v1/orders/{}/sent", ApiScope::WriteOrders),
    ("DELETE", "/v1/orders/{}/sent", ApiScope::WriteOrders),
    ("PUT", "/v1/orders/{}/delivered", ApiScope::WriteOrders),
    ("DELETE", "/v1/orders/{}/delivered", ApiScope::WriteOrders),
    ("POST", "/v1/shop/parcels", ApiScope::WriteOrders),
    ("PUT", "/v1/orders/{}/notes/{}", ApiScope::WriteOrders),
    ("PUT", "/v1/orders/{}/tags/{}", ApiScope::WriteOrders),
    ("DELETE", "/v1/orders/{}/tags/{}", ApiScope::WriteOrders),
    ("POST", "/v1/orders/{}/refund", ApiScope::Refund),
    ("POST", "/v1/orders/{}/refunds", ApiScope::Refund),
    ("PUT", "/v1/orders/{}/paid", ApiScope::Refund),
    ("PUT", "/v1/orders/{}/cancelled", ApiScope::Refund),
    ("PUT", "/v1/orders/{}/dispute", ApiScope::Refund),
];

/// The scope that a request needs, by its method and its path (or the path of its route in the API document). `None`: no key may.
pub fn scope_of(method: &str, path: &str) -> Option<ApiScope> {
    let method = if method == "HEAD" { "GET" } else { method };
    let fits = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some("{}"), Some(part)) if !part.is_empty() => {}
                (Some(wanted), Some(part)) if wanted == part => {}
                _ => return false,
            }
        }
    };
    ROUTES.iter().find(|(known, template, _)| *known == method && fits(template)).map(|(_, _, scope)| *scope)
}

/// A key, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: Name,
    /// The beginning and the end of the secret.
    pub hint: String,
    pub scopes: Vec<ApiScope>,
    /// Who made it. The key ends when this account loses its role.
    pub made_by: AccountId,
    pub by_name: String,
    pub created_at: Millis,
    /// Rounded down to a minute.
    pub last_used_at: Option<Millis>,
    pub expires_at: Option<Millis>,
    /// When it was ended before its time.
    pub ended_at: Option<Millis>,
}

impl ApiKey {
    pub fn is_in_force(&self, now: Millis) -> bool {
        self.check_in_force(now).is_ok()
    }

    /// Refused with the reason: a client that has the secret may learn why it does not work any more.
    pub fn check_in_force(&self, now: Millis) -> Result<(), Refusal> {
        if self.ended_at.is_some() {
            return Err(Refusal::TokenRefused("This API key was ended by the shop."));
        }
        match self.expires_at {
            Some(expires_at) if expires_at <= now => {
                Err(Refusal::TokenRefused("This API key has reached the end of its time. Ask the shop for a new one."))
            }
            _ => Ok(()),
        }
    }

    /// The user in whose name a program acts.
    pub fn user(&self) -> UserId {
        UserId::from_own(format!("{API_KEY_PREFIX}{}", self.id))
    }

    /// The actor of a request with this key, which must be allowed to use the route by [`check_scope`](Self::check_scope) too.
    pub fn actor(&self) -> Actor {
        let token = TokenStamp { issued_at: Some(self.created_at), id: Some(TokenId::of(&self.id.to_string())) };
        let (user, name) = (self.user(), self.name.clone());
        Actor { user, name, role: Role::Admin, stream: None, expires_at: self.expires_at, token, session: None }
    }

    /// Refuses a request for which the key has no scope.
    pub fn check_scope(&self, method: &str, path: &str) -> Result<(), Refusal> {
        match scope_of(method, path) {
            Some(scope) if self.scopes.contains(&scope) => Ok(()),
            _ => Err(Refusal::ScopeMissing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_recognized_by_its_form_and_checksum_and_stays_out_of_logs() {
        for bytes in [[0; 32], [7; 32], [255; 32]] {
            let secret = ApiKeySecret::new(bytes);
            assert_eq!(secret.as_str().len(), SECRET_LENGTH);
            assert_eq!(ApiKeySecret::parse(secret.as_str()), Some(secret.clone()));
            assert!(!format!("{secret:?}").contains(&secret.as_str()[9..20]));
            assert!(secret.hint().ends_with(&secret.as_str()[SECRET_LENGTH - 4..]));
        }
        let good = ApiKeySecret::new([7; 32]).as_str().to_owned();
        let other = if good.ends_with('0') { "1" } else { "0" };
        let mistyped = format!("{}{other}", &good[..good.len() - 1]);
        for wrong in ["", "lsk_live_", &good[1..], &good[..good.len() - 1], &mistyped, &good.replace("live", "test")] {
            assert_eq!(ApiKeySecret::parse(wrong), None, "{wrong}");
        }
        assert_ne!(ApiKeySecret::new([8; 32]), ApiKeySecret::new([7; 32]));
    }

    #[test]
    fn number_in_base_62_has_its_value() {
        for (bytes, text) in [(&[0][..], "00"), (&[61], "0z"), (&[62], "10"), (&[1, 0], "48"), (&[15, 3], "zz")] {
            assert_eq!(base_62(bytes, 2), text);
        }
    }

    #[test]
    fn route_needs_its_scope_and_what_is_not_named_is_for_people() {
        for (method, path, scope) in [
            ("GET", "/v1/products", Some(ApiScope::ReadProducts)),
            ("HEAD", "/v1/products", Some(ApiScope::ReadProducts)),
            ("PATCH", "/v1/products/1", Some(ApiScope::WriteProducts)),
            ("PATCH", "/v1/products/{product}", Some(ApiScope::WriteProducts)),
            ("POST", "/v1/variants/1/stock-changes", Some(ApiScope::WriteStock)),
            ("POST", "/v1/orders/1/refund", Some(ApiScope::Refund)),
            ("POST", "/v1/orders/1/refunds", Some(ApiScope::Refund)),
            ("PUT", "/v1/orders/1/paid", Some(ApiScope::Refund)),
            ("PUT", "/v1/orders/1/cancelled", Some(ApiScope::Refund)),
            ("PUT", "/v1/orders/1/dispute", Some(ApiScope::Refund)),
            ("PUT", "/v1/orders/1/sent", Some(ApiScope::WriteOrders)),
            ("POST", "/v1/products/1", None),
            ("GET", "/v1/products/", None),
            ("GET", "/v1/products/1/", None),
            ("GET", "/v1/staff", None),
            ("POST", "/v1/api-keys", None),
            ("DELETE", "/v1/users/1", None),
            ("GET", "/v1/audit-log", None),
            ("POST", "/v1/offers/1/orders", None),
        ] {
            assert_eq!(scope_of(method, path), scope, "{method} {path}");
        }
    }

    #[test]
    fn new_key_reads_only_unless_more_is_chosen() {
        assert!(ApiScope::defaults().iter().all(|scope| scope.name().ends_with(":read")));
        assert_eq!(ApiScope::defaults().len(), 4);
        let parse = |given: &[&str]| parse_scopes(&given.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        let two = Ok(vec![ApiScope::ReadProducts, ApiScope::Refund]);
        assert_eq!(parse(&["refunds:write", "products:read", "refunds:write"]), two);
        for wrong in [&[][..], &["team:write"], &["products"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn key_is_in_force_until_it_ends_or_expires() {
        let key = ApiKey {
            id: ApiKeyId::new(),
            name: Name::parse("Warehouse").unwrap(),
            hint: String::new(),
            scopes: vec![ApiScope::ReadProducts],
            made_by: AccountId::new(),
            by_name: "Olla".into(),
            created_at: 1,
            last_used_at: None,
            expires_at: None,
            ended_at: None,
        };
        assert!(key.is_in_force(i64::MAX));
        let expires = ApiKey { expires_at: Some(10), ..key.clone() };
        assert_eq!((expires.is_in_force(9), expires.is_in_force(10)), (true, false));
        assert!(!ApiKey { ended_at: Some(5), ..key.clone() }.is_in_force(6));
        assert_eq!(key.check_scope("GET", "/v1/products"), Ok(()));
        assert_eq!(key.check_scope("POST", "/v1/products"), Err(Refusal::ScopeMissing));
        assert_eq!(key.check_scope("GET", "/v1/staff"), Err(Refusal::ScopeMissing));
        assert!(super::super::account::is_reserved(key.user().as_str()));
    }
}
