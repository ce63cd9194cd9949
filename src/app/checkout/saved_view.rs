//! Saved views of the seller's desk: everybody of the team has their own.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::Result;
use crate::domain::{Actor, Permission, SavedView};

impl Checkout {
    /// The caller's own views, for those who sell in the shop.
    pub async fn saved_views(&self, actor: &Actor) -> Result<Vec<SavedView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        Ok(self.context.store.saved_views(&actor.user).await?)
    }

    /// Saves a view of the caller; it replaces the one with its name.
    pub async fn save_view(self: &Arc<Self>, actor: &Actor, name: &str, query: &str) -> Result<SavedView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let view = SavedView::validated(name, query)?;
        let (this, user) = (self.clone(), actor.user.clone());
        self.context
            .spawn_write(async move {
                this.context.store.save_view(&user, &view).await?;
                Ok(view)
            })
            .await
    }

    /// Removes a view of the caller. To remove it again is no error.
    pub async fn remove_view(self: &Arc<Self>, actor: &Actor, name: &str) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let (this, user, name) = (self.clone(), actor.user.clone(), name.to_owned());
        self.context.spawn_write(async move { Ok(this.context.store.remove_view(&user, &name).await?) }).await
    }
}
