//! Quick items: a product, its offer, the sale and the pin by one transaction, in the middle of a show.

use super::offer::{insert_offer, open_draft};
use super::product::insert_product;
use super::stream::set_pin;
use super::{KeyedRequest, Result, Store};
use crate::domain::offer::NewOffer;
use crate::domain::{LiveStream, OfferId, Product, Refusal, ShopId};

impl Store {
    /// Creates a product that is called by the next number of the show, and puts it on sale and on the screen. Gives the offer, and the
    /// show with its pin; `None`: the request was carried out before.
    pub async fn create_quick_item(
        &self,
        shop: ShopId,
        (product, offer): (&Product, &NewOffer),
        request: &KeyedRequest,
    ) -> Result<(OfferId, Option<LiveStream>)> {
        self.transaction(async |tx| {
            if let Some(earlier) = tx.take_key(Some(request), offer.id.0).await? {
                return Ok((OfferId(earlier), None));
            }
            let count = "update streams set quick_items = quick_items + 1 where id = $1 and status <> 'ended'
                returning quick_items";
            let number: Option<i64> = tx.query(count).bind(offer.stream.0).fetch_optional_value().await?;
            let number = number.ok_or(Refusal::StreamEnded)?;
            let mut product = product.clone();
            product.title = format!("#{number}");
            product.variants.iter_mut().for_each(|variant| variant.name.clone_from(&product.title));
            insert_product(tx, shop, &product, Some(&request.author())).await?;
            let set = "update products set quick_number = $2 where id = $1";
            tx.query(set).bind(product.id.0).bind(number).execute().await?;
            insert_offer(tx, offer, Some(request)).await?;
            open_draft(tx, offer.id).await?;
            Ok((offer.id, Some(set_pin(tx, offer.stream, offer.id).await?)))
        })
        .await
    }

    /// The number of the quick item that an offer sells; `None`: it sells another product.
    pub async fn quick_number(&self, offer: OfferId) -> Result<Option<i64>> {
        let read = "select p.quick_number from offers o join variants v on v.id = o.variant
            join products p on p.id = v.product where o.id = $1";
        let found: Option<(Option<i64>,)> = self.query(read).bind(offer.0).fetch_optional().await?;
        Ok(found.and_then(|(number,)| number))
    }
}
