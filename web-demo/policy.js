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

await load('shop');
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
if (kind) setText(byId('title'), t(`policy.${kind}`));
await paint();
document.body.dataset.ready = '';

async function paint() {
  try {
    const shop = await loadShop();
    setText(byId('shop-title'), titleOf(shop));
    document.title = `${kind ? t(`policy.${kind}`) : t('policy.none')} · ${titleOf(shop)}`;
    /** @type {{ language: string, html: string }} */
    const { language, html } = await get(`/policies/${encodeURIComponent(name)}?lang=${lang}`);
    const text = richText(html);
    text.lang = language;
    text.dir = language === 'ar' ? 'rtl' : 'ltr';
    root.replaceChildren(el('article.policy', { 'data-test': 'policy-text' }, text));
  } catch (error) {
    const refusal = asRefusal(error);
    const isMissing = refusal.code === 'no_such_policy';
    const again = el('button.slim', { type: 'button', onclick: paint, 'data-test': 'policy-again' }, t('try_again'));
    const box = el('div.notice-box', { role: 'alert', 'data-test': 'policy-none' });
    box.append(el('p', {}, isMissing ? t('policy.none') : refusalText(refusal)), ...(isMissing ? [] : [again]));
    root.replaceChildren(box);
  }
}
