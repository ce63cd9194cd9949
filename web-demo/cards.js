// How the pages take money, if they do. A shop whose payments are trials does not load it.

/**
 * The card form of Stripe, or the way to the page of another provider.
 * @param {import('./types.d.ts').Shop} shop
 */
export async function loadCards(shop) {
  const loading = shop.payments === 'http' ? import('./hosted_page.js') : shop.stripe && import('./card_form.js');
  return loading && { shop, ...(await loading) };
}
