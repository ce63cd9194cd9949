// Links to the policies that the shop has written: at the foot of a page, and beside the button to pay.

import { route } from './base.js';
import { t } from './i18n.js';
import { el } from './ui.js';

/** @import { PolicyKind, Shop } from './types.d.ts' */

/** The policies of the shop that was loaded last. @type {PolicyKind[]} */
let policies = [];

/**
 * Takes the policies of the shop, and shows them at the foot of the page, if it has one.
 * @param {Shop} shop
 */
export function setPolicies(shop) {
  const isSame = policies.join() === shop.policies.join();
  policies = shop.policies;
  const foot = document.querySelector('footer');
  if (isSame || !foot) return;
  for (const old of foot.querySelectorAll('[data-policy]')) old.remove();
  foot.append(...policies.map((kind) => link(kind)));
}

/** @param {PolicyKind} kind @param {Record<string, string>} [props] */
function link(kind, props = {}) {
  const key = `policy.${kind}`;
  return el('a', { href: route(`/policies/${kind}`), 'data-policy': kind, 'data-t': key, ...props }, t(key));
}

/** What a buyer may read before paying, each in a new tab so that the order stays. Null: the shop has written nothing. */
export function policyNote() {
  if (policies.length === 0) return null;
  const links = policies.map((kind) => link(kind, { target: '_blank', rel: 'noopener' }));
  return el('p.fine.policy-note', { 'data-test': 'policy-note' }, `${t('policy.before')} `, links);
}
