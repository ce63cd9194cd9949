//! Sign-in by OpenID Connect: what binds a sign-in to the browser that began it, and what becomes of an identity here.

use sha2::{Digest, Sha256};

use super::account::OIDC_PREFIX;
use super::{EmailAddress, Millis, Name, PersonKey, SecretHash, SessionSecret, UserId};

/// How long a person may take at the identity provider.
pub const OIDC_SIGN_IN_TTL_MS: Millis = 600_000;
/// In bytes. By the standard a subject has at most 255.
pub const OIDC_SUBJECT_MAX: usize = 255;
/// The longest code that a page may hand over, in bytes. Codes of some providers are signed tokens.
pub const OIDC_CODE_MAX: usize = 4_096;
pub const OIDC_STATE_BYTES: usize = 32;

/// What the operator set about the identity provider.
#[derive(Clone)]
pub struct OidcSettings {
    /// Like `https://login.shop.example`, as the provider writes it into its tokens.
    pub issuer: String,
    pub client_id: String,
    /// `None`: a public client. The code is bound to this server by PKCE all the same.
    pub client_secret: Option<String>,
    /// What people read on the button.
    pub name: String,
    /// Whether an address that the provider calls verified is the proof that signs in to the account of that address.
    pub trusts_email: bool,
}

/// The longest name of a provider, in characters.
const NAME_MAX: usize = 40;

impl OidcSettings {
    /// The settings, if a sign-in with them is safe. Without a name, the provider is called by its host.
    pub fn checked(self) -> Result<Self, String> {
        let (scheme, rest) = self.issuer.split_once("://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
        if bare.is_empty() || host.contains('@') || rest.contains(['?', '#']) {
            return Err("an issuer is written like https://login.shop.example".to_owned());
        }
        // A user who reads or changes the answers on their way could sign in as anybody.
        let is_own_machine = matches!(bare, "127.0.0.1" | "localhost" | "[::1]");
        if scheme != "https" && !(scheme == "http" && is_own_machine) {
            return Err("only https is safe; http is for a provider on the same machine".to_owned());
        }
        let name = if self.name.is_empty() { bare.to_owned() } else { self.name.clone() };
        if NAME_MAX < name.chars().count() || name.chars().any(char::is_control) {
            return Err("a name has at most 40 characters on one line".to_owned());
        }
        Ok(Self { name, ..self })
    }
}

/// Not derived: the secret must not get into a log.
impl std::fmt::Debug for OidcSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OidcSettings({})", self.issuer)
    }
}

/// What the secrets of one sign-in are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OidcSecret {
    /// Comes back in the token, so that a code which somebody else got is of no use here.
    Nonce,
    /// The verifier of PKCE, so that a stolen code is of no use elsewhere.
    Verifier,
}

impl OidcSecret {
    /// The secret of this sign-in. It follows from what only the browser has, so it is stored nowhere.
    pub fn of(self, browser: &SessionSecret, state: &str) -> String {
        let purpose: &[u8] = match self {
            OidcSecret::Nonce => b"livesouk oidc nonce ",
            OidcSecret::Verifier => b"livesouk oidc verifier ",
        };
        hex::encode(Sha256::new_with_prefix(purpose).chain_update(browser.as_str()).chain_update(state).finalize())
    }
}

/// The hash under which a `state` is stored.
pub fn hash_state(state: &str) -> SecretHash {
    Sha256::new_with_prefix(b"livesouk oidc state ").chain_update(state).finalize().into()
}

/// Who somebody is at the identity provider, by a token whose signature was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OidcIdentity {
    pub issuer: String,
    pub subject: String,
    pub email: Option<EmailAddress>,
    /// The provider says that the person proved the address.
    pub is_email_verified: bool,
    /// What the person may be called, the best name first.
    pub names: Vec<String>,
}

impl OidcIdentity {
    /// The address that links the identity to an account: only one that a provider calls verified which the operator trusts for that.
    pub fn linking_email(&self, trusts_email: bool) -> Option<&EmailAddress> {
        self.email.as_ref().filter(|_| trusts_email && self.is_email_verified)
    }

    /// The identity with what the provider's user information says of the address. It verifies only the address that it names, not the
    /// one of the token.
    pub fn with_user_info(self, named: Option<EmailAddress>, is_verified: bool) -> Self {
        let is_email_verified = named.is_some() && is_verified;
        Self { is_email_verified, email: named.or(self.email), ..self }
    }

    /// Names for a new account, the best first. They are seen by everybody, so an address is never one, and neither are names that
    /// only the team may have.
    pub fn account_names(&self) -> Vec<Name> {
        let shortened = |name: &String| name.chars().take(Name::LENGTH_MAX).collect::<String>();
        let shown = self.names.iter().filter(|name| !name.contains('@'));
        let parsed = shown.filter_map(|name| Name::parse(shortened(name).trim()).ok());
        parsed.filter(|name| !name.claims_role()).collect()
    }

    /// The person behind the identity: the same after the account was erased, so that bans and limits stay.
    pub fn person(&self) -> PersonKey {
        let hash = Sha256::new_with_prefix(b"livesouk oidc person ").chain_update(&self.issuer).chain_update([0]);
        let hash = hex::encode(hash.chain_update(&self.subject).finalize());
        PersonKey::of_user(&UserId::from_own(format!("{OIDC_PREFIX}{}", &hash[..32])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> OidcIdentity {
        OidcIdentity {
            issuer: "https://login.example".into(),
            subject: "1".into(),
            email: EmailAddress::parse("ann@example.com").ok(),
            is_email_verified: true,
            names: Vec::new(),
        }
    }

    #[test]
    fn only_a_verified_address_of_a_trusted_issuer_links_to_an_account() {
        let unverified = OidcIdentity { is_email_verified: false, ..identity() };
        for (identity, trusts_email, links) in [
            (identity(), true, true),
            (identity(), false, false),
            (unverified.clone(), true, false),
            (unverified, false, false),
        ] {
            assert_eq!(identity.linking_email(trusts_email).is_some(), links, "{identity:?} {trusts_email}");
        }
    }

    #[test]
    fn user_information_verifies_only_the_address_that_it_names() {
        let other = EmailAddress::parse("bob@example.com").ok();
        let unverified = OidcIdentity { is_email_verified: false, ..identity() };
        for (named, is_verified, links) in
            [(None, true, false), (other.clone(), false, false), (other.clone(), true, true)]
        {
            let merged = unverified.clone().with_user_info(named.clone(), is_verified);
            assert_eq!(merged.linking_email(true).is_some(), links, "{named:?} {is_verified}");
            assert_eq!(merged.email, named.or(identity().email));
        }
    }

    #[test]
    fn names_of_an_identity_are_cut_and_never_those_of_the_team() {
        let long = "N".repeat(60);
        let identity = OidcIdentity {
            names: vec!["Host".into(), "".into(), "ann@example.com".into(), long, "Ann".into()],
            ..identity()
        };
        let names: Vec<String> = identity.account_names().iter().map(|name| name.as_str().to_owned()).collect();
        assert_eq!(names, ["N".repeat(40), "Ann".to_owned()]);
    }

    #[test]
    fn identity_provider_needs_https_except_on_the_own_machine() {
        for (issuer, name) in [
            ("https://login.example/realms/shop", Some("login.example")),
            ("https://10.0.0.5:8443", Some("10.0.0.5")),
            ("http://127.0.0.1:9400", Some("127.0.0.1")),
            ("http://localhost:9400", Some("localhost")),
            ("http://login.example", None),
            ("http://127.0.0.1.evil.example", None),
            ("http://localhost@evil.example", None),
            ("https://user@login.example", None),
            ("https://login.example?x", None),
            ("ftp://login.example", None),
            ("login.example", None),
            ("https://", None),
        ] {
            let settings = OidcSettings {
                issuer: issuer.to_owned(),
                client_id: "shop".to_owned(),
                client_secret: Some("a secret".to_owned()),
                name: String::new(),
                trusts_email: false,
            };
            assert!(!format!("{settings:?}").contains("a secret"));
            assert_eq!(settings.checked().ok().map(|one| one.name).as_deref(), name, "{issuer}");
        }
    }

    #[test]
    fn secrets_of_a_sign_in_differ_by_browser_state_and_purpose() {
        let (one, other) = (SessionSecret::new([1; 32]), SessionSecret::new([2; 32]));
        let nonce = OidcSecret::Nonce.of(&one, "a");
        assert_eq!(nonce, OidcSecret::Nonce.of(&one, "a"));
        let differ =
            [OidcSecret::Nonce.of(&other, "a"), OidcSecret::Nonce.of(&one, "b"), OidcSecret::Verifier.of(&one, "a")];
        assert!(!differ.contains(&nonce));
        // RFC 7636 wants at least 43 characters.
        assert_eq!(OidcSecret::Verifier.of(&one, "a").len(), 64);
    }
}
