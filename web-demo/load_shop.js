// The shop, which every page loads first: it says how many decimals prices have, what is charged
// besides them, and which languages it speaks.

import { get } from './api.js';
import { keepToLanguages, setDecimals } from './i18n.js';
import { setCharges } from './offer.js';
import { setPolicies } from './policy_links.js';

/** @import { Shop } from './types.d.ts' */

/** @returns {Promise<Shop>} */
export async function loadShop() {
  /** @type {Shop} */
  const shop = await get('/shop');
  setDecimals(shop.currency, shop.decimals);
  setCharges(shop);
  keepToLanguages(shop);
  setPolicies(shop);
  return shop;
}
