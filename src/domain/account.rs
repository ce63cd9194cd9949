//! Accounts: people who proved an e-mail address, and the person behind an identity.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{AccountId, Millis, Name, Refusal, Titles, UserId};

/// The start of the user id of an account, before its [`AccountId`].
pub const ACCOUNT_PREFIX: &str = "acct:";
/// The start of the user id of a guest, before the id of the guest's first session.
pub const GUEST_PREFIX: &str = "guest:";

/// The start of the person key of an identity at the identity provider.
pub const OIDC_PREFIX: &str = "oidc:";

/// The start of the user id of a program with an API key, before the id of the key.
pub const API_KEY_PREFIX: &str = "key:";

/// Someone who proved an e-mail address, or whom the shop invited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub id: AccountId,
    pub email: Option<EmailAddress>,
    pub name: Name,
    pub language: Language,
    pub person: PersonKey,
    pub created_at: Millis,
}

impl AccountId {
    /// The user id of the account.
    pub fn user(self) -> UserId {
        UserId::from_own(format!("{ACCOUNT_PREFIX}{self}"))
    }

    /// The account of this user, if the user has one here.
    pub fn of_user(user: &UserId) -> Option<Self> {
        user.as_str().strip_prefix(ACCOUNT_PREFIX)?.parse().ok()
    }
}

/// Whether this is a user id that only we give: no token may have it as its `sub`.
pub fn is_reserved(user: &str) -> bool {
    [ACCOUNT_PREFIX, GUEST_PREFIX, OIDC_PREFIX, API_KEY_PREFIX, UserId::SIMULATED]
        .iter()
        .any(|prefix| user.starts_with(prefix))
}

/// An e-mail address as it is shown and written to: in lower case.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct EmailAddress(Arc<str>);

impl EmailAddress {
    /// In bytes, by RFC 5321.
    pub const LENGTH_MAX: usize = 254;
    const LOCAL_PART_MAX: usize = 64;

    /// Parses a plain address: letters, digits and signs before the `@`, the name of a host behind it. Quoted local parts and
    /// addresses in other scripts, to which many mail servers cannot send, are refused.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim().to_ascii_lowercase();
        let is_valid = text.rsplit_once('@').is_some_and(|(local, host)| is_local_part(local) && is_host(host));
        match is_valid && text.len() <= Self::LENGTH_MAX {
            true => Ok(Self(text.into())),
            false => Err(Refusal::bad_field("email", "must be an e-mail address like ann@example.com.")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// One text for all addresses that reach the same mailbox: without a `+tag`, and for Gmail without dots. It tells people
    /// apart and is never written to.
    pub fn normalized(&self) -> String {
        let (local, host) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let is_gmail = host == "gmail.com" || host == "googlemail.com";
        let base = local.split('+').next().filter(|base| !base.is_empty()).unwrap_or(local);
        let base = if is_gmail { base.replace('.', "") } else { base.to_owned() };
        format!("{base}@{}", if is_gmail { "gmail.com" } else { host })
    }
}

impl EmailAddress {
    /// A hash by which a mailbox is recognized when somebody proves it again. It is kept where the address itself must not be.
    pub fn mailbox_hash(&self) -> [u8; 32] {
        Sha256::new_with_prefix(b"livesouk mailbox ").chain_update(self.normalized()).finalize().into()
    }
}

impl std::fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_local_part(text: &str) -> bool {
    let is_atom = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte))
    };
    text.len() <= EmailAddress::LOCAL_PART_MAX && text.split('.').all(is_atom)
}

fn is_host(text: &str) -> bool {
    let is_label = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.contains('.') && text.split('.').all(is_label)
}

/// A language that the pages and the mails have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, ToSchema)]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "ar")]
    Arabic,
    #[serde(rename = "id")]
    Indonesian,
}

impl Language {
    pub const ALL: [Language; 3] = [Language::English, Language::Arabic, Language::Indonesian];

    /// The language of a tag like `ar` or `id-ID`; English for every other one.
    pub fn of_tag(tag: &str) -> Self {
        Self::parse(tag).unwrap_or_default()
    }

    /// The language of a tag, whatever its region. `None`: we do not write in it.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The direction of its script, as HTML writes it.
    pub fn direction(self) -> &'static str {
        if self == Language::Arabic { "rtl" } else { "ltr" }
    }

    /// The title in this language; the plain title where there is no translation.
    pub fn title_of<'t>(self, title: &'t str, titles: &'t Titles) -> &'t str {
        titles.get(self.tag()).map_or(title, String::as_str)
    }

    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Arabic => "ar",
            Language::Indonesian => "id",
        }
    }
}

/// The person behind an identity: limits per buyer, pauses and blocks hold for a person, not for one of the person's sessions.
///
/// It is the user id, except that accounts whose addresses reach one mailbox are one person: the key of the first of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PersonKey(UserId);

impl PersonKey {
    /// The person of an identity that represents itself: a token, a guest, the first account of a mailbox.
    pub fn of_user(user: &UserId) -> Self {
        Self(user.clone())
    }

    /// The user who represents the person: the first account of a mailbox, or the user itself.
    pub fn user(&self) -> &UserId {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_address_has_a_plain_form() {
        for (text, expected) in [
            ("ann@example.com", Some("ann@example.com")),
            (" Ann.O'Neil+shop@Mail.Example.COM ", Some("ann.o'neil+shop@mail.example.com")),
            ("a@b.co", Some("a@b.co")),
            ("سارة@example.com", None),
            ("ann@مثال.com", None),
            ("ann@localhost", None),
            ("ann@example..com", None),
            ("ann@-example.com", None),
            (".ann@example.com", None),
            ("ann..b@example.com", None),
            ("\"ann\"@example.com", None),
            ("ann@b@example.com", None),
            ("ann@example.com\r\nbcc: eve@example.com", None),
            ("ann@[10.0.0.1]", None),
            ("ann, bob@example.com", None),
            ("@example.com", None),
            ("ann", None),
            ("", None),
        ] {
            let parsed = EmailAddress::parse(text);
            assert_eq!(parsed.as_ref().ok().map(EmailAddress::as_str), expected, "{text}");
        }
        assert!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(EmailAddress::parse(&format!("a@{}com", "example.".repeat(40))).is_err());
    }

    #[test]
    fn addresses_of_one_mailbox_have_one_normalized_form() {
        for (text, expected) in [
            ("ann@example.com", "ann@example.com"),
            ("ann+tag@example.com", "ann@example.com"),
            ("a.n.n@example.com", "a.n.n@example.com"),
            ("a.n.n+x@gmail.com", "ann@gmail.com"),
            ("Ann@GoogleMail.com", "ann@gmail.com"),
            ("+tag@example.com", "+tag@example.com"),
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().normalized(), expected, "{text}");
        }
    }

    #[test]
    fn language_is_found_by_its_tag_whatever_the_region() {
        for (tag, expected) in [
            ("ar", Some(Language::Arabic)),
            ("ar-SA", Some(Language::Arabic)),
            ("AR_eg", Some(Language::Arabic)),
            ("id", Some(Language::Indonesian)),
            ("en-GB", Some(Language::English)),
            ("fr", None),
            ("arc", None),
            ("", None),
        ] {
            assert_eq!(Language::parse(tag), expected, "{tag:?}");
            assert_eq!(Language::of_tag(tag), expected.unwrap_or(Language::English), "{tag:?}");
        }
    }

    #[test]
    fn title_without_a_translation_stays_as_it_is() {
        let titles = Titles::from([("ar".to_owned(), "مصباح".to_owned())]);
        assert_eq!(Language::Arabic.title_of("Lamp", &titles), "مصباح");
        assert_eq!(Language::Indonesian.title_of("Lamp", &titles), "Lamp");
    }

    #[test]
    fn user_id_of_an_account_is_reserved_and_leads_back_to_it() {
        let account = AccountId::new();
        let user = account.user();
        assert_eq!((AccountId::of_user(&user), is_reserved(user.as_str())), (Some(account), true));
        assert_eq!(AccountId::of_user(&UserId::parse("ann").unwrap()), None);
        assert!(is_reserved("guest:1") && is_reserved("crowd:layla") && !is_reserved("ann") && !is_reserved("account"));
    }
}
