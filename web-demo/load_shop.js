// The shop, which every page loads first: it says how many decimals prices have, what is charged
// besides them, and which languages it speaks.

import { get } from './api.js';
import { keepToLanguages, setDecimals } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { setCharges } from './offer.js';

/** @import { Shop } from './types.d.ts' */

/** @returns {Promise<Shop>} */
export async function loadShop() {
  /** @type {Shop} */
  const shop = await get('/shop');
  setDecimals(shop.currency, shop.decimals);
  setCharges(shop);
  keepToLanguages(shop);
  if (shop.policies.length > 0) showPolicies(shop).catch(showUnreachable);
  return shop;
}

/** Only a shop that has written policies loads what links them. @param {Shop} shop */
async function showPolicies(shop) {
  (await import('./policy_links.js')).setPolicies(shop);
}
