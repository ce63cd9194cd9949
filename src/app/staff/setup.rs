//! The set-up of a new shop, and how an owner comes back who cannot sign in.
//!
//! A link is printed on the machine of the shop: by `livesouk serve` until the shop has an owner, and by `livesouk owner recover`.
//! The person who opens it becomes the owner, or signs in as the first one.

use std::sync::Arc;

use super::Staff;
use crate::app::accounts::{StartedSession, new_session};
use crate::app::error::Result;
use crate::domain::setup::NewOwner;
use crate::domain::shop_settings::{ShopForm, ShopProfile};
use crate::domain::staff::link_hash;
use crate::domain::{Millis, Refusal, Shop};
use crate::store::NewSession;

/// What a link allows.
#[derive(Clone, Debug)]
pub struct SetupState {
    /// The shop has an owner: the link signs in as them, and nothing has to be typed.
    pub has_owner: bool,
    pub shop: Arc<Shop>,
    pub profile: ShopProfile,
    /// The currency cannot be changed any more.
    pub has_products: bool,
}

/// What was typed on the page.
#[derive(Clone, Debug, Default)]
pub struct SetupForm {
    pub owner: Option<NewOwner>,
    pub shop: Option<ShopForm>,
}

impl Staff {
    /// Makes a link, which replaces every earlier one. Gives its code, which is stored only as a hash, and its end.
    pub async fn new_setup_link(&self) -> Result<(String, Millis)> {
        let code = hex::encode(rand::random::<[u8; 20]>());
        let (context, hash) = (self.context.clone(), link_hash(&code));
        let stored = async move { Ok(context.store.replace_setup_link(&hash).await?) };
        Ok((code, self.context.spawn_write(stored).await?))
    }

    /// Whether a shop that was just created still waits for its owner.
    pub async fn is_setup_open(&self) -> Result<bool> {
        let settings = self.context.store.shop_settings().await?;
        Ok(settings.is_setup_open && self.context.store.first_owner().await?.is_none())
    }

    /// What the link with this code allows. It remains valid.
    pub async fn open_setup_link(&self, code: &str) -> Result<SetupState> {
        let store = &self.context.store;
        if !store.is_setup_link(&link_hash(code)).await? {
            return Err(Refusal::SetupLinkInvalid.into());
        }
        Ok(SetupState {
            has_owner: store.first_owner().await?.is_some(),
            shop: self.context.shop(),
            profile: store.shop_settings().await?.profile,
            has_products: !store.products(&Default::default(), None, 1).await?.products.is_empty(),
        })
    }

    /// Uses the link up: sets the shop up if it has no owner, and signs in. With input that is refused, the link remains valid.
    pub async fn use_setup_link(
        self: &Arc<Self>,
        code: &str,
        form: SetupForm,
        user_agent: &str,
    ) -> Result<StartedSession> {
        let state = self.open_setup_link(code).await?;
        let SetupForm { owner, shop } = form;
        let shop = match shop {
            Some(form) if !state.has_owner => Some(form.apply(&state.shop, &state.profile)?),
            _ => None,
        };
        let (secret, new) = new_session(user_agent);
        // An operator with access to the machine may sign in without the owner's lost passkey.
        let new = NewSession { is_strong: true, ..new };
        let (this, hash) = (self.clone(), link_hash(code));
        let session = self
            .context
            .spawn_write(async move {
                let session = this.context.store.use_setup_link(&hash, owner.as_ref(), shop.as_ref(), &new).await?;
                this.settings_sync.refresh_after_change().await;
                Ok(session)
            })
            .await?;
        Ok(StartedSession { session, secret })
    }
}
