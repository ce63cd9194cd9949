// The bar of a phone, under the thumb: the next product, and a flash sale of the product that is shown, in two taps. Its values are
// those of the last sale; the first tap asks with all of them, the second starts it.

import { formatMoney, locale, t } from '../i18n.js';
import { listAll } from '../list.js';
import { fullTitle, phaseOf } from '../offer.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { timeSpan } from '../time_span.js';
import { el, icon, picture, setText, setVisible, toast } from '../ui.js';
import { addOnce } from './add_once.js';
import { reducedPrice } from './offer_form_row.js';
import { lastSaleChoices } from './sale_choices.js';

/** @import { Offer, Product, Refusal, Shop, Stream, Variant } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */

export class ThumbBar {
  /**
   * @param {HTMLElement} root
   * @param {{ stream: Stream, shop: Shop, lineup: Lineup, onform: () => void, onrefused: (refusal: Refusal) => void }} options `onform`
   *   opens the form for a sale, where no values were kept yet
   */
  constructor(root, { stream, shop, lineup, onform, onrefused }) {
    this.root = root;
    this.shop = shop;
    this.stream = stream;
    this.lineup = lineup;
    this.onform = onform;
    this.onrefused = onrefused;
    this.nextName = el('bdi');
    this.nextImage = el('span.thumb-image', { 'aria-hidden': 'true' });
    /** The offer whose picture is painted. @type {string | undefined} */
    this.painted = undefined;
    this.next = el(
      'button.thumb-next',
      { type: 'button', 'data-test': 'thumb-next', onclick: () => lineup.pinNext() },
      this.nextImage,
      el('span', {}, t('host.next')),
      this.nextName,
    );
    this.flash = el(
      'button.primary.thumb-flash',
      { type: 'button', 'data-test': 'thumb-flash', onclick: () => this.askFlash() },
      icon('play'),
      el('span', {}, t('host.kind_flash')),
    );
    this.quick = el(
      'button.thumb-quick',
      { type: 'button', 'data-test': 'thumb-quick', onclick: () => this.askQuick() },
      icon('plus'),
      el('span', {}, t('thumb.quick')),
    );
    root.append(this.next, this.quick, this.flash);
  }

  paint() {
    const next = this.lineup.nextOffer();
    this.next.disabled = !next;
    setVisible(this.flash, Boolean(this.shown));
    setText(this.nextName, next ? fullTitle(next) : '');
    this.next.title = next ? fullTitle(next) : '';
    if (next?.id === this.painted) return;
    this.painted = next?.id;
    this.nextImage.replaceChildren(...(next ? [picture(next.image, next)] : []));
  }

  /** The sheet loads when it is needed. */
  askQuick() {
    const open = async () => {
      const { quickItemSheet } = await import('./quick_item.js');
      const { stream, shop, lineup } = this;
      quickItemSheet({ stream, shop, onmade: (offer) => lineup.apply(offer) });
    };
    return withBusy(this.quick, open, this.onrefused);
  }

  /** The product that is shown now, unless it is in a flash sale already. */
  get shown() {
    const offer = this.lineup.offers.get(this.lineup.pinned ?? '');
    const isFit = offer?.kind === 'regular' && phaseOf(offer, this.lineup.client.now()) !== 'ended';
    return isFit ? offer : undefined;
  }

  async askFlash() {
    const { shown } = this;
    if (!shown) return;
    const { percent } = lastSaleChoices();
    if (percent === null) return this.onform();
    await withBusy(this.flash, () => this.startFlash(shown, percent), this.onrefused);
  }

  /**
   * @param {Offer} shown
   * @param {number} percent
   */
  async startFlash(shown, percent) {
    const { hold_s, per_buyer, countdown_s, duration_s, quantity: wanted } = lastSaleChoices();
    const variant = await findVariant(shown.variant);
    const quantity = Math.min(wanted, variant?.stock ?? 0);
    if (!variant || quantity < 1) return void toast(t('thumb.no_stock'), { kind: 'warn' });
    const price = reducedPrice(variant.price, percent);
    const text = t('host.open_flash', {
      offer: fullTitle(shown),
      price: formatMoney(price, variant.currency),
      n: quantity,
      countdown: timeSpan(locale, countdown_s),
      length: timeSpan(locale, duration_s),
    });
    const question = { title: t('host.start_sale'), text: this.lineup.withAudience(text), yes: t('host.open') };
    if (!(await confirmDialog(question))) return;
    const terms = { hold_s, per_buyer, countdown_s, duration_s, quantity, price, old_price: variant.price };
    /** @type {Offer} */
    const sale = await addOnce(`/streams/${this.stream.id}/offers`, { variant: variant.id, kind: 'flash', ...terms });
    this.lineup.apply(sale);
    await this.lineup.open(sale, null, { isSure: true, isPinned: true });
  }
}

/**
 * @param {string} id
 * @returns {Promise<Variant | undefined>}
 */
async function findVariant(id) {
  /** @type {Product[]} */
  const products = await listAll('/products');
  return products.flatMap((product) => product.variants).find((variant) => variant.id === id);
}
