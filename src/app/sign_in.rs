//! Sign-in codes: a shop's own site hands a customer over to our pages by a code that works once.

use std::sync::Arc;

use super::context::Context;
use super::error::{Error, Result};
use crate::domain::sign_in_code::{SIGN_IN_CODE_BYTES, SignInCodeFault, hash_sign_in_code, seal_token};
use crate::domain::{Actor, Millis, Permission, Place, Refusal, authorize_by_role};

pub struct SignIn {
    context: Arc<Context>,
}

/// A new code. It is returned once, here.
pub struct NewSignInCode {
    pub code: String,
    pub expires_at: Millis,
}

impl SignIn {
    pub fn new(context: &Arc<Context>) -> Arc<Self> {
        Arc::new(Self { context: context.clone() })
    }

    /// Makes a code for `token`, which is the actor's own and was verified. `origin` is the site that will link to our page.
    pub async fn create_code(&self, actor: &Actor, token: &str, origin: String) -> Result<NewSignInCode> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let code = hex::encode(rand::random::<[u8; SIGN_IN_CODE_BYTES]>());
        let sealed = seal_token(&code, token).ok_or(Error::Unavailable)?;
        let (context, user, hash) = (self.context.clone(), actor.user.clone(), hash_sign_in_code(&code));
        self.context
            .spawn_write(async move {
                let expires_at = context.store.create_sign_in_code(&hash, &user, &origin, &sealed).await?;
                Ok(NewSignInCode { code, expires_at })
            })
            .await
    }

    /// The token behind a code. `origin` is the site that linked to the page, as far as the page knows. The code is used up even
    /// if it is refused.
    pub async fn redeem_code(&self, code: &str, origin: Option<&str>) -> Result<String> {
        let (context, hash) = (self.context.clone(), hash_sign_in_code(code));
        let taken = self.context.spawn_write(async move { Ok(context.store.take_sign_in_code(&hash).await?) }).await?;
        let token = match taken {
            Some((stored, now)) => stored.redeem(code, origin, now),
            None => Err(SignInCodeFault::Unknown),
        };
        token.map_err(|why| {
            tracing::info!(?why, origin, "a sign-in code was refused");
            Refusal::SignInCodeInvalid.into()
        })
    }
}
