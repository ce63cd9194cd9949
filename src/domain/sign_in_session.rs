//! Sign-in sessions: what a browser holds as a cookie, for guests and for accounts.

use sha2::{Digest, Sha256};

use super::staff::StaffRole;
use super::{
    AccountId, Actor, ActorSession, EmailAddress, GUEST_PREFIX, Millis, Name, PasskeyStanding, PersonKey, Role,
    SignInSessionId, TokenId, TokenStamp, UserId,
};

/// How long a session may be unused; then it ends.
pub const SESSION_IDLE_MAX_MS: Millis = 30 * 86_400_000;
/// The use of a session is recorded at most this often.
pub const SESSION_TOUCH_MS: Millis = 3_600_000;
/// Above this, the new session of a user ends the one that was not used for the longest time.
pub const SESSIONS_OF_USER_MAX: i64 = 50;
/// In characters. A longer name of a browser is cut.
pub const USER_AGENT_MAX: usize = 200;

/// The secret of a session, which only its browser has: 32 random bytes in hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret(String);

/// The SHA-256 hash of a secret. Only the hash is stored.
pub type SecretHash = [u8; 32];

impl SessionSecret {
    /// `bytes` must be random.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(hex::encode(bytes))
    }

    /// What a cookie holds, if it has the form of a secret.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    pub fn hash(&self) -> SecretHash {
        Sha256::digest(self.0.as_bytes()).into()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not derived: a secret must not get into a log.
impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

/// A session, as it is stored. The name, the address and the person of an account are those of the account now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignInSession {
    pub id: SignInSessionId,
    pub user: UserId,
    pub account: Option<AccountId>,
    pub person: PersonKey,
    pub name: Name,
    /// The address that the user proved.
    pub email: Option<EmailAddress>,
    pub created_at: Millis,
    pub last_used_at: Millis,
    pub expires_at: Millis,
    /// When the user last proved again who they are, for what needs more than a session.
    pub stepped_up_at: Option<Millis>,
    pub user_agent: String,
    pub passkey: PasskeyStanding,
    /// The roles of a member of the staff; empty for everybody else.
    pub roles: Vec<StaffRole>,
}

impl SignInSession {
    /// The user id of a guest whose first session is this.
    pub fn guest_user(id: SignInSessionId) -> UserId {
        UserId::from_own(format!("{GUEST_PREFIX}{id}"))
    }

    /// The id by which a revocation names this session, as it names a token by its `jti`.
    pub fn token_id(id: SignInSessionId) -> String {
        id.to_string()
    }

    /// The highest role of the user, wherever it holds: what others see. What the user may do follows from the role of each place.
    pub fn highest_role(&self) -> Role {
        let higher = |a: Role, b: Role| if b.outranks(a) { b } else { a };
        match self.passkey.is_needed() {
            true => Role::Viewer,
            false => self.roles.iter().map(|place| place.role).fold(Role::Viewer, higher),
        }
    }

    /// The user of this session.
    pub fn actor(&self) -> Actor {
        let Self { id, account, stepped_up_at, .. } = *self;
        let token = TokenStamp { issued_at: Some(self.created_at), id: Some(TokenId::of(&Self::token_id(id))) };
        let session = ActorSession {
            id,
            account,
            email: self.email.clone(),
            person: self.person.clone(),
            stepped_up_at,
            passkey: self.passkey,
            roles: if self.passkey.is_needed() { Vec::new() } else { self.roles.clone() },
        };
        Actor {
            user: self.user.clone(),
            name: self.name.clone(),
            role: self.highest_role(),
            stream: None,
            expires_at: Some(self.expires_at),
            token,
            session: Some(session.into()),
        }
    }
}

/// The name of a browser for the list of sessions: what the browser says, without control characters.
pub fn clean_user_agent(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_recognized_by_its_form_and_stays_out_of_logs() {
        let secret = SessionSecret::new([7; 32]);
        assert_eq!(SessionSecret::parse(secret.as_str()).as_ref(), Some(&secret));
        assert_ne!(SessionSecret::new([8; 32]), secret);
        assert!(!format!("{secret:?}").contains(secret.as_str()));
        for text in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            assert!(SessionSecret::parse(text).is_none(), "{text}");
        }
    }
}
