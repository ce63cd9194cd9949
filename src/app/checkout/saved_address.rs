//! The delivery address that a person saved for the next purchase, on every device on which they sign in.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::Result;
use crate::domain::{Actor, Address, Permission};

impl Checkout {
    pub async fn saved_address(&self, actor: &Actor) -> Result<Option<Address>> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        Ok(self.context.store.saved_address(&actor.user).await?)
    }

    /// Replaces the one before.
    pub async fn save_address(self: &Arc<Self>, actor: &Actor, address: Address) -> Result<Address> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let address = address.validated()?;
        let (context, user) = (self.context.clone(), actor.user.clone());
        let save = async move {
            context.store.save_address(&user, &address).await?;
            Ok(address)
        };
        self.context.spawn_write(save).await
    }

    pub async fn delete_saved_address(self: &Arc<Self>, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let (context, user) = (self.context.clone(), actor.user.clone());
        self.context.spawn_write(async move { Ok(context.store.delete_saved_address(&user).await?) }).await
    }
}
