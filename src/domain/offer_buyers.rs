//! Who may buy an offer: a flash sale may be for people who can be told apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Actor, OfferKind, Refusal};

/// Who may buy an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfferBuyers {
    /// Everybody who has signed in, also a guest under a name.
    #[default]
    Anyone,
    /// Who proved an e-mail address, or has an account.
    Verified,
    /// Who has an account. The user of a token has one at the shop's own site.
    Account,
}

impl OfferBuyers {
    pub const ALL: [OfferBuyers; 3] = [OfferBuyers::Anyone, OfferBuyers::Verified, OfferBuyers::Account];

    pub fn name(self) -> &'static str {
        match self {
            OfferBuyers::Anyone => "anyone",
            OfferBuyers::Verified => "verified",
            OfferBuyers::Account => "account",
        }
    }

    pub fn is_anyone(&self) -> bool {
        *self == OfferBuyers::Anyone
    }

    /// What an offer gets whose host chose nothing: a flash sale, which draws those who would come many times, is for people who can be
    /// told apart, where the shop can send them a code.
    pub fn default_for(kind: OfferKind, sends_email: bool) -> Self {
        match kind {
            OfferKind::Flash if sends_email => OfferBuyers::Verified,
            _ => OfferBuyers::Anyone,
        }
    }

    /// Refuses a buyer who is not among them.
    pub fn check(self, buyer: &Actor) -> Result<(), Refusal> {
        let session = buyer.session.as_ref();
        let has_account = session.is_none_or(|session| session.account.is_some());
        let is_verified = has_account || session.is_some_and(|session| session.email.is_some());
        match self {
            OfferBuyers::Verified if !is_verified => Err(Refusal::BuyersVerified),
            OfferBuyers::Account if !has_account => Err(Refusal::BuyersAccount),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        AccountId, ActorSession, EmailAddress, Name, PersonKey, Role, SignInSessionId, TokenStamp, UserId,
    };

    #[test]
    fn offer_may_be_for_people_who_can_be_told_apart() {
        let email = EmailAddress::parse("ann@example.com").ok();
        let user = UserId::parse("ann").unwrap();
        let of = |account: Option<AccountId>, email: Option<EmailAddress>| {
            let (id, person) = (SignInSessionId::new(), PersonKey::of_user(&user));
            let session = ActorSession {
                id,
                account,
                email,
                person,
                roles: Default::default(),
                stepped_up_at: None,
                passkey: Default::default(),
            };
            let (name, token) = (Name::parse("Ann").unwrap(), TokenStamp::default());
            let session = Some(session.into());
            Actor { user: user.clone(), name, role: Role::Viewer, stream: None, expires_at: None, token, session }
        };
        let token = Actor { session: None, ..of(None, None) };
        let (guest, proved) = (of(None, None), of(None, email.clone()));
        let (account, without_email) = (of(Some(AccountId::new()), email), of(Some(AccountId::new()), None));
        let (verified, only_account) = (Err(Refusal::BuyersVerified), Err(Refusal::BuyersAccount));
        for (actor, expected) in [
            (&guest, [Ok(()), verified, only_account.clone()]),
            (&proved, [Ok(()), Ok(()), only_account]),
            (&account, [Ok(()), Ok(()), Ok(())]),
            (&without_email, [Ok(()), Ok(()), Ok(())]),
            (&token, [Ok(()), Ok(()), Ok(())]),
        ] {
            assert_eq!(OfferBuyers::ALL.map(|buyers| buyers.check(actor)), expected, "{actor:?}");
        }
        let default = OfferBuyers::default_for;
        assert_eq!(default(OfferKind::Flash, true), OfferBuyers::Verified);
        assert_eq!(default(OfferKind::Flash, false), OfferBuyers::Anyone);
        assert_eq!(default(OfferKind::Regular, true), OfferBuyers::Anyone);
    }
}
