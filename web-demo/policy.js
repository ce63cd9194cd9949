// One policy of the shop, like its terms of sale. The server gives it in the language of the page, if it is written in that.

import { asRefusal, get } from './api.js';
import { basePath } from './base.js';
import { lang, languageSwitch, load, refusalText, t, titleOf, translate } from './i18n.js';
import { loadShop } from './load_shop.js';
import { richText } from './rich_text.js';
import { byId, el, fillIcons, setText } from './ui.js';

/** @import { PolicyKind } from './types.d.ts' */

const KINDS = /** @type {PolicyKind[]} */ (['terms', 'returns', 'privacy', 'contact']);
const name = location.pathname.slice(`${basePath}/policies/`.length);
const kind = KINDS.find((known) => known === name);
const root = byId('policy');

await Promise.all([load('shop'), load('pages')]);
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
if (kind) setText(byId('title'), t(`policy.${kind}`));
await paint();
document.body.dataset.ready = '';

async function paint() {
  try {
    const shop = await loadShop();
    document.title = `${kind ? t(`policy.${kind}`) : t('policy.none')} · ${titleOf(shop)}`;
    if (!kind || !shop.policies.includes(kind)) {
      showBox(t('policy.none'));
      return;
    }
    /** @type {{ language: string, html: string }} */
    const { language, html } = await get(`/policies/${kind}?lang=${lang}`);
    const text = richText(html);
    text.lang = language;
    text.dir = language === 'ar' ? 'rtl' : 'ltr';
    root.replaceChildren(el('article.policy', { 'data-test': 'policy-text' }, text));
  } catch (error) {
    const again = el('button.slim', { type: 'button', onclick: paint, 'data-test': 'policy-again' }, t('try_again'));
    showBox(refusalText(asRefusal(error)), again);
  }
}

/** @param {string} text @param {HTMLElement[]} buttons */
function showBox(text, ...buttons) {
  const box = el('div.notice-box', { role: 'alert', 'data-test': 'policy-none' }, el('p', {}, text), buttons);
  root.replaceChildren(box);
}
