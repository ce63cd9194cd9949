// The form that makes offers of a product: a row for each variant, and for a flash sale its countdown, length and time.
//
// Each mistake is shown beside its field, whether this page found it or the server did. The rows are saved one by one; a
// saved row leaves the form, so pressing again makes no offer twice.

import { refusalText, t, titleOf } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, icon, picture } from '../ui.js';
import { addOnce } from './add_once.js';
import { variantName } from './catalogue_texts.js';
import { pinChoice } from './dialogs.js';
import { field, futureTime, localTime, readAll, showFieldError, wholeNumber } from './form.js';
import { OfferFormRow } from './offer_form_row.js';
import { payLaterChoice } from './pay_later.js';
import { keepSaleChoices, lastSaleChoices } from './sale_choices.js';

/** @import { Offer, Product, Refusal, Shop, Stream, Variant } from '../types.d.ts' */
/** @import { Lineup } from './lineup.js' */
/** @typedef {'regular' | 'flash'} Kind */

const COUNTDOWN_S = /** @type {const} */ ([10, 300]);
const LENGTH_MIN = /** @type {const} */ ([1, 20]);
const HOLD_S = /** @type {const} */ ([10, 3600]);
const DEFAULT_AHEAD_MS = 15 * 60_000;

/**
 * @param {Product} product
 * @param {Variant} variant the variant of the first row
 * @param {{ body: HTMLElement, shop: Shop, stream: Stream, lineup: Lineup, back: HTMLElement, close: () => void }} options
 */
export function offerForm(product, variant, options) {
  const form = new OfferForm(product, options);
  form.addRow(variant);
  form.update();
  options.body.replaceChildren(form.root);
}

class OfferForm {
  /**
   * @param {Product} product
   * @param {{ shop: Shop, stream: Stream, lineup: Lineup, back: HTMLElement, close: () => void }} options
   */
  constructor(product, { shop, stream, lineup, back, close }) {
    this.product = product;
    this.shop = shop;
    this.stream = stream;
    this.lineup = lineup;
    this.close = close;
    /** @type {Kind} */
    this.kind = 'regular';
    this.isScheduled = false;
    this.hasStarted = false;
    /** @type {OfferFormRow[]} */
    this.rows = [];
    this.list = el('div.offer-form-rows');
    this.moreVariants = el('div.row-actions');
    this.hold = {
      hold_s: field({
        label: t('form.hold'),
        test: 'offer-hold',
        value: lastSaleChoices().hold_s,
        inputMode: 'numeric',
        check: wholeNumber(...HOLD_S),
      }),
    };
    this.buyers = this.buyersChoice();
    this.payLater = payLaterChoice(shop);
    this.flash = flashFields();
    this.pin = pinChoice();
    this.time = timeField(() => lineup.client.now());
    this.flashPart = el(
      'div',
      {},
      el('div.pair', {}, this.flash.countdown_s.node, this.flash.duration_s.node),
      el(
        'div.kinds',
        { role: 'radiogroup', 'aria-label': t('form.begins') },
        this.whenChoice('now', true),
        this.whenChoice('time', false),
      ),
      this.time.starts_at.node,
    );
    this.alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'offer-error' });
    this.draftButton = el('button', { type: 'submit', 'data-test': 'offer-save' }, t('host.save_draft'));
    const start = { type: 'button', 'data-test': 'offer-start', onclick: () => this.save(this.startButton, true) };
    this.startButton = el('button.primary', start);
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const isScheduled = this.isScheduledFlash;
      this.save(isScheduled ? this.startButton : this.draftButton, isScheduled);
    };
    this.root = el(
      'form',
      { noValidate: true, 'data-test': 'offer-form', onsubmit: submit },
      back,
      el(
        'div.summary',
        {},
        picture(product.image, product),
        el('span.summary-text', {}, el('bdi', {}, titleOf(product))),
      ),
      el(
        'div.kinds',
        { role: 'radiogroup', 'aria-label': t('form.kind') },
        this.kindChoice('regular'),
        this.kindChoice('flash'),
      ),
      this.list,
      this.moreVariants,
      this.flashPart,
      this.hold.hold_s.node,
      this.buyers.node,
      this.payLater.node,
      this.pin.node,
      this.alert,
      el('div.actions', {}, this.draftButton, this.startButton),
    );
  }

  /** Who can buy. A flash sale is for people who can be told apart, where the shop can send them a code. */
  buyersChoice() {
    const names = /** @type {const} */ (['anyone', 'verified', 'account']);
    const options = names.map((name) => el('option', { value: name }, t(`form.buyers_${name}`)));
    const select = el('select', { id: 'offer-buyers', 'data-test': 'offer-buyers' }, options);
    const warning = el('p.fine', { role: 'status', hidden: true, 'data-test': 'offer-buyers-warning' });
    warning.textContent = t('form.buyers_warning');
    const choice = {
      node: el('div', {}, el('label', { for: select.id }, t('form.buyers')), select, warning),
      select,
      warning,
    };
    select.addEventListener('change', () => {
      select.dataset.chosen = '';
      this.update();
    });
    return choice;
  }

  get isScheduledFlash() {
    return this.kind === 'flash' && this.isScheduled;
  }

  /** @param {Kind} kind */
  kindChoice(kind) {
    const choose = () => {
      this.kind = kind;
      this.update();
    };
    const isChosen = kind === this.kind;
    return radio('kind', kind, isChosen, choose, t(`host.kind_${kind}`), t(`host.kind_${kind}_more`));
  }

  /**
   * @param {'now' | 'time'} when
   * @param {boolean} isChosen
   */
  whenChoice(when, isChosen) {
    const choose = () => {
      this.isScheduled = when === 'time';
      this.update();
    };
    return radio('when', when, isChosen, choose, t(`form.when_${when}`));
  }

  /** Shows the fields and buttons of what is chosen. */
  update() {
    const isFlash = this.kind === 'flash';
    this.flashPart.hidden = !isFlash;
    const { select, warning } = this.buyers;
    if (!('chosen' in select.dataset)) select.value = isFlash && this.shop.emails ? 'verified' : 'anyone';
    warning.hidden = !isFlash || select.value !== 'anyone';
    this.payLater.setKind(this.kind);
    this.time.starts_at.node.hidden = !this.isScheduledFlash;
    this.draftButton.hidden = this.isScheduledFlash;
    this.pin.node.hidden = this.isScheduledFlash;
    for (const row of this.rows) row.setKind(this.kind);
    this.startButton.textContent = t(this.isScheduledFlash ? 'host.save_schedule' : 'host.save_open');
  }

  /** @param {Variant} variant */
  addRow(variant) {
    const suffix = this.rows.length ? `-${this.rows.length + 1}` : '';
    const row = new OfferFormRow(variant, suffix, () => this.removeRow(row));
    this.rows.push(row);
    row.setKind(this.kind);
    this.list.append(row.root);
    this.updateVariants();
    return row;
  }

  /** @param {OfferFormRow} row */
  removeRow(row) {
    this.rows = this.rows.filter((other) => other !== row);
    row.root.remove();
    this.updateVariants();
  }

  /** Offers a button for each variant that has no row yet. */
  updateVariants() {
    const rest = this.product.variants.filter((variant) => !this.rows.some((row) => row.variant === variant));
    const buttons = rest.map((variant) => {
      const add = () => this.addRow(variant).fields.price.control.focus();
      const props = { type: 'button', 'data-test': `also-${variant.id}`, onclick: add };
      return el('button.slim', props, icon('plus'), el('bdi', {}, variantName(variant)));
    });
    this.moreVariants.replaceChildren(...buttons);
    for (const row of this.rows) row.removeButton.hidden = this.rows.length === 1;
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {boolean} openNow
   */
  async save(button, openNow) {
    this.alert.hidden = true;
    const shared = {
      ...this.hold,
      ...(this.kind === 'flash' ? this.flash : {}),
      ...(this.isScheduledFlash ? this.time : {}),
    };
    const terms = readAll(shared);
    const wanted = this.rows.map((row) => ({ row, values: row.read() }));
    if (!terms || wanted.some(({ values }) => !values)) return;
    this.keepChoices(terms, wanted);
    for (const { row, values } of wanted) {
      const save = async () => {
        const body = {
          variant: row.variant.id,
          kind: this.kind,
          buyers: this.buyers.select.value,
          ...this.payLater.value(),
          ...terms,
          ...values,
        };
        /** @type {Offer} */
        const offer = await addOnce(`/streams/${this.stream.id}/offers`, body);
        this.lineup.apply(offer);
        this.removeRow(row);
        this.lineup.reveal(offer.id);
        // Of several variants the first is pinned: only one offer can be.
        const isPinned = !this.hasStarted && this.pin.isChosen();
        this.hasStarted = true;
        if (openNow && !this.isScheduledFlash) await this.lineup.open(offer, null, { isSure: true, isPinned });
        return true;
      };
      const isSaved = await withBusy(button, save, (refusal) => this.showRefusal(shared, row, refusal));
      this.lineup.paint();
      if (!isSaved) return;
    }
    this.close();
  }

  /**
   * @param {{ hold_s: number, countdown_s?: number, duration_s?: number }} terms
   * @param {{ row: OfferFormRow, values: Record<string, any> | null }[]} wanted
   */
  keepChoices({ hold_s, countdown_s, duration_s }, [{ row, values }]) {
    const sale = { countdown_s, duration_s, percent: row.percentOff(), quantity: values?.quantity };
    const flash = this.kind === 'flash' ? sale : {};
    keepSaleChoices({ hold_s, per_buyer: values?.per_buyer, pin: this.pin.isChosen(), ...flash });
  }

  /**
   * @param {Record<string, import('./form.js').Field<any>>} shared
   * @param {OfferFormRow} row
   * @param {Refusal} refusal
   */
  showRefusal(shared, row, refusal) {
    const text = refusalText(refusal);
    if (refusal.code === 'not_enough_stock') return row.fields.quantity.showError(text);
    if (showFieldError({ ...shared, ...row.fields }, refusal, text)) return;
    this.alert.textContent = text;
    this.alert.hidden = false;
  }
}

function flashFields() {
  const minutes = wholeNumber(...LENGTH_MIN);
  return {
    countdown_s: field({
      label: t('form.countdown'),
      test: 'offer-countdown',
      value: lastSaleChoices().countdown_s,
      hint: t('form.range', { min: COUNTDOWN_S[0], max: COUNTDOWN_S[1] }),
      inputMode: 'numeric',
      check: wholeNumber(...COUNTDOWN_S),
    }),
    duration_s: field({
      label: t('form.length'),
      test: 'offer-duration',
      value: lastSaleChoices().duration_s / 60,
      hint: t('form.range', { min: LENGTH_MIN[0], max: LENGTH_MIN[1] }),
      inputMode: 'numeric',
      check: (text) => minutes(text) * 60,
    }),
  };
}

/** @param {() => number} now */
function timeField(now) {
  return {
    starts_at: field({
      label: t('form.starts_at'),
      test: 'offer-starts-at',
      type: 'datetime-local',
      dir: 'ltr',
      value: localTime(now() + DEFAULT_AHEAD_MS),
      hint: t('form.starts_at_hint'),
      check: futureTime(now),
    }),
  };
}

/**
 * @param {string} name
 * @param {string} value
 * @param {boolean} isChosen
 * @param {() => void} onchange
 * @param {string} label
 * @param {string} [hint]
 */
function radio(name, value, isChosen, onchange, label, hint) {
  const props = { type: 'radio', name, value, checked: isChosen, 'data-test': `offer-${name}-${value}`, onchange };
  const texts = el('span', {}, el('b', {}, label), hint && el('small', {}, hint));
  return el('label.choice', {}, el('input', props), texts);
}
