// The coupon that the team shows over the video: a tap claims it, and it is set on the next order by itself. It loads when a show has one.

import { asRefusal, signedInAs } from './api.js';
import { formatMoney, load, locale, refusalText, t } from './i18n.js';
import { el, query, setText, setVisible, speak, style, toast } from './ui.js';

/** @import { LiveClient, Shop, ShownCoupon } from './types.d.ts' */
/** @import { Buyer } from './buyer.js' */

/**
 * What the chip needs of the viewer page.
 * @typedef {{ client: LiveClient, shop: Shop, buyer: Buyer | null, loadBuyer: () => Promise<Buyer> }} Page
 */

await Promise.all([load('coupon'), style('coupon')]);

const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 2 });
/** Timers know no longer time. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** @type {{ root: HTMLButtonElement, texts: HTMLElement, ask: HTMLElement } | null} */
let chip = null;
let ending = 0;

/** Followed by the person and the id of the coupon. */
const SLOT = 'livesouk.claimed.';
/** @param {ShownCoupon} coupon */
const slotOf = ({ id }) => `${SLOT}${signedInAs()}.${id}`;

/** @param {Page} page */
export function paintCoupon(page) {
  const { coupon } = page.client.state;
  clearTimeout(ending);
  const rest = coupon?.ends_at ? coupon.ends_at - page.client.now() : null;
  const isShown = Boolean(coupon) && (rest === null || rest > 0);
  if (!isShown && !chip) return;
  chip ??= makeChip(page);
  setVisible(chip.root, isShown);
  if (!coupon || !isShown) return;
  if (rest !== null) ending = setTimeout(() => paintCoupon(page), Math.min(rest, TIMER_MAX_MS));
  // The checkout has its field from now on.
  page.shop.coupons = true;
  const checkout = page.buyer?.purchase?.checkout;
  if (checkout) checkout.coupons = true;
  const isMine = sessionStorage.getItem(slotOf(coupon)) !== null;
  chip.texts.replaceChildren(offText(coupon), el('small', {}, el('bdi', { dir: 'auto' }, coupon.code)));
  setText(chip.ask, t(isMine ? 'coupon.claimed' : 'coupon.claim'));
  chip.root.dataset.claimed = String(isMine);
}

/** @param {Page} page */
function makeChip(page) {
  const texts = el('span.coupon-texts');
  const ask = el('b.coupon-ask');
  const props = { type: 'button', 'data-test': 'coupon-chip', onclick: () => claim(page) };
  const root = el('button.coupon-chip', props, texts, ask);
  query('.over').append(root);
  return { root, texts, ask };
}

/** @param {ShownCoupon} coupon */
function offText({ percent_bp, amount, currency, minimum }) {
  const value = percent_bp ? percents.format(percent_bp / 10_000) : formatMoney(amount ?? 0, currency);
  const text = t('coupon.off', { value });
  return minimum > 0 ? `${text} · ${t('coupon.off_from', { amount: formatMoney(minimum, currency) })}` : text;
}

/** @param {Page} page */
async function claim(page) {
  const { client } = page;
  const { coupon } = client.state;
  if (!coupon || !chip || chip.root.disabled) return;
  chip.root.disabled = true;
  try {
    if (!signedInAs()) {
      const buyer = await page.loadBuyer();
      if (!(await buyer.requireSignIn('buy'))) return;
    }
    await client.request('claim_coupon', { coupon: coupon.id });
    sessionStorage.setItem(slotOf(coupon), '1');
    speak(t('coupon.kept'));
    toast(t('coupon.kept'), { kind: 'good', test: 'coupon-kept' });
  } catch (error) {
    toast(refusalText(asRefusal(error)), { kind: 'warn', test: 'coupon-refused' });
  } finally {
    chip.root.disabled = false;
    paintCoupon(page);
  }
}
