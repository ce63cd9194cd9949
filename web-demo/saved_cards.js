// Saved cards: the choice between them in the card form, and the sheet of the account menu where they are removed. Only shops whose payment
// provider keeps cards load it.

import { del, get, session } from './api.js';
import { load, refusalText, t } from './i18n.js';
import { confirmDialog, openSheet, withBusy } from './sheet.js';
import { el, setVisible } from './ui.js';

/** @import { Refusal, SavedCard, SavedCards } from './types.d.ts' */

await load('card');

/** Names as their owners write them. Others are shown as the provider calls them. @type {Record<string, string>} */
const BRANDS = {
  visa: 'Visa',
  mastercard: 'Mastercard',
  amex: 'American Express',
  diners: 'Diners Club',
  discover: 'Discover',
  eftpos_au: 'eftpos',
  jcb: 'JCB',
  mada: 'mada',
  unionpay: 'UnionPay',
  cartes_bancaires: 'Cartes Bancaires',
};
/** A checkout waits no longer for the saved cards; then the buyer types one. */
const LIST_MS = 4_000;

/** @param {SavedCard} card */
const nameOf = ({ brand, last4 }) => t('card.ending', { brand: BRANDS[brand] ?? brand.replaceAll('_', ' '), last4 });

/** A card is valid until the end of its month. @param {SavedCard} card */
const isExpired = ({ exp_month, exp_year }) => Date.now() >= Date.UTC(exp_year, exp_month, 1);

/** @param {SavedCard} card */
function expiry(card) {
  const date = `${String(card.exp_month).padStart(2, '0')}/${String(card.exp_year % 100).padStart(2, '0')}`;
  return t(isExpired(card) ? 'card.expired' : 'card.expires', { date });
}

/** @returns {Promise<SavedCards>} */
const fetchCards = () => get('/me/payment-methods');

/** The saved cards in the card form, and whether a new one is saved. */
export class SavedChoice {
  /** @param {(isNew: boolean) => void} onchoice called when the buyer, or the list, chose between a saved card and a new one */
  constructor(onchoice) {
    this.onchoice = onchoice;
    /** @type {SavedCard[]} */
    this.cards = [];
    /** The id of the saved card that pays; null: a new card. @type {string | null} */
    this.chosen = null;
    this.root = el('fieldset', { hidden: true, 'data-test': 'saved-cards' });
    this.tick = el('input', { type: 'checkbox', 'data-test': 'card-save' });
    this.saving = el(
      'div',
      { hidden: true },
      el('label.tick', {}, this.tick, el('span', {}, t('card.save'))),
      el('p.fine', {}, t('card.save_more')),
    );
    this.canSave = false;
    this.hasChosen = false;
  }

  get saves() {
    return this.canSave && this.chosen === null && this.tick.checked;
  }

  /** Guests and the users of tokens have no saved cards, and nothing is asked for them. */
  async load() {
    if (!session.get()?.sub.startsWith('acct:')) return;
    const late = new Promise((done) => setTimeout(done, LIST_MS, null));
    const list = /** @type {SavedCards | null} */ (await Promise.race([fetchCards().catch(() => null), late]));
    if (!list) return;
    this.cards = list.items;
    this.canSave = list.can_save;
    // Who chose another card goes on typing it.
    const isThere = this.chosen === null ? this.hasChosen : this.cards.some(({ id }) => id === this.chosen);
    if (!isThere) this.chosen = this.cards.find((card) => !isExpired(card))?.id ?? null;
    this.paint();
  }

  paint() {
    const { cards } = this;
    setVisible(this.root, cards.length > 0);
    setVisible(this.saving, this.canSave && this.chosen === null);
    this.root.replaceChildren(
      el('legend', {}, t('card.saved')),
      el(
        'div.choices',
        {},
        cards.map((card) => this.choice(card.id, nameOf(card), expiry(card))),
        this.choice(null, t('card.another'), ''),
      ),
      el(
        'button.slim.ghost',
        { type: 'button', 'data-test': 'cards-manage', onclick: () => void this.manage() },
        t('card.manage'),
      ),
    );
  }

  /**
   * @param {string | null} id
   * @param {string} name
   * @param {string} more
   */
  choice(id, name, more) {
    const choose = () => {
      this.chosen = id;
      this.hasChosen = true;
      setVisible(this.saving, this.canSave && id === null);
      this.onchoice(id === null);
    };
    const input = el('input', {
      type: 'radio',
      name: 'saved-card',
      checked: id === this.chosen,
      'data-test': id ? 'saved-card' : 'card-another',
      onchange: choose,
    });
    return el('label.choice', {}, input, el('span', {}, el('b', {}, name), more && el('small', {}, more)));
  }

  async manage() {
    await openSavedCards(() => {
      void this.load().then(() => this.onchoice(this.chosen === null));
    });
  }
}

/** The entry of the account menu. */
export function menuEntry() {
  const entry = el('button.ghost.wide', { type: 'button', 'data-test': 'account-cards' }, t('card.saved'));
  entry.addEventListener('click', () => {
    entry.closest('dialog')?.close();
    void openSavedCards();
  });
  return entry;
}

/** @param {() => void} [onclose] */
export async function openSavedCards(onclose) {
  const list = el('ul.passkeys', { 'data-test': 'cards' });
  const none = el('p.empty', { 'data-test': 'cards-none', hidden: true }, t('card.none'));
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'cards-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    alert.textContent = refusalText(refusal);
    alert.hidden = false;
  };
  const again = el('button.slim', { type: 'button', hidden: true, 'data-test': 'cards-again' }, t('try_again'));
  const reload = async () => {
    alert.hidden = again.hidden = true;
    const { items } = await fetchCards();
    list.replaceChildren(...items.map((card) => row(card, reload, showRefusal)));
    list.hidden = items.length === 0;
    none.hidden = items.length > 0;
  };
  const first = () =>
    withBusy(again, reload, (refusal) => {
      showRefusal(refusal);
      again.hidden = false;
    });
  again.addEventListener('click', () => void first());
  const content = [el('p', {}, t('card.about')), alert, again, list, none];
  openSheet(content, { title: t('card.saved'), test: 'cards-sheet', className: 'small', onclose });
  await first();
}

/**
 * @param {SavedCard} card
 * @param {() => Promise<void>} reload
 * @param {(refusal: Refusal) => void} showRefusal
 */
function row(card, reload, showRefusal) {
  const name = nameOf(card);
  const remove = async () => {
    const text = t('card.remove_sure', { name });
    if (!(await confirmDialog({ title: t('card.remove_title'), text, yes: t('card.remove'), danger: true }))) return;
    await del(`/me/payment-methods/${card.id}`).catch((error) => {
      // It was removed on another device.
      if (error?.code !== 'no_such_card') throw error;
    });
    await reload();
  };
  const button = el(
    'button.slim.danger',
    { type: 'button', 'data-test': 'card-remove', 'aria-label': `${t('card.remove')}: ${name}` },
    t('card.remove'),
  );
  button.addEventListener('click', () => void withBusy(button, remove, showRefusal));
  const texts = el('span.row-text', {}, el('b.row-title', {}, name), el('small', {}, expiry(card)));
  return el('li', {}, texts, button);
}
