// A stock take: each scan counts one more unit of a variant. The differences are applied at the end, and can be undone.

import { asRefusal, get, post, UNKNOWN_OUTCOME } from '../api.js';
import { wholeNumber } from '../host/form.js';
import { formatDateTime, load, refusalText, t, titleOf } from '../i18n.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { el, setText, setVisible, speak, style, toast } from '../ui.js';
import { savedLine } from './bulk_undo.js';
import { listenToScanner } from './scanner.js';
import { sectionAddress } from './sections.js';
import { StockTake, UNITS_MAX } from './stock_take.js';
import { RestOfStock } from './stock_take_rest.js';
import { countedRow, openRow, variantName } from './stock_take_rows.js';

/** @import { BulkEditResult, CountedVariant, Refusal } from '../types.d.ts' */
/** @import { Counted } from './stock_take.js' */

await Promise.all([load('bulk'), load('imports'), style('admin/bulk')]);

/** Scans that wait for their look-up. A scanner reads at most some in a second. */
const QUEUE_MAX = 100;

export class StockTakePage {
  /** @param {{ root: HTMLElement }} options */
  constructor({ root }) {
    this.root = root;
    this.take = new StockTake();
    /** @type {{ code: string, units: number }[]} */
    this.queue = [];
    this.isLooking = false;
    this.code = el('input', {
      id: 'scan-code',
      type: 'text',
      dir: 'auto',
      autocomplete: 'off',
      autocapitalize: 'off',
      spellcheck: false,
      maxLength: 120,
      enterKeyHint: 'done',
      'data-test': 'scan-code',
    });
    this.units = el('input', {
      id: 'scan-units',
      type: 'text',
      inputMode: 'numeric',
      value: '1',
      'data-test': 'scan-units',
      onfocus: () => this.units.select(),
    });
    this.last = el('p.scan-last', { role: 'status', 'data-test': 'scan-last' });
    this.about = el('p.bulk-about', {}, t('count.about'));
    this.note = el('p.scan-note', { hidden: true, 'data-test': 'scan-note' });
    this.alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'scan-alert' });
    this.saved = el('div');
    this.open = el('ul.desk-list.scan-open', { 'data-test': 'scan-open' });
    this.openHead = el('h3', {}, t('count.open'));
    this.list = el('ul.desk-list.scan-list', { 'data-test': 'scan-list' });
    this.empty = el('p.empty', { 'data-test': 'scan-empty' }, t('count.empty'));
    this.rest = new RestOfStock({
      isCounted: (variant) => this.take.counted.some((row) => row.variant === variant),
      onmissing: (variant) => this.missing(variant),
      isLocked: () => this.take.sending !== null,
    });
    this.sum = el('span', { role: 'status', 'data-test': 'scan-sum' });
    const discard = { type: 'button', 'data-test': 'scan-discard', onclick: () => this.discard() };
    this.discardButton = el('button', discard, t('count.discard'));
    const apply = { type: 'button', 'data-test': 'scan-apply', onclick: () => this.apply() };
    this.applyButton = el('button.primary', apply, t('count.apply'));
    this.bar = el('div.bulk-bar', {}, this.sum, this.discardButton, this.applyButton);
  }

  async start() {
    // A reader who may not sell here sees that at once.
    await get('/imports?limit=1');
    const back = el('a', { href: sectionAddress('products'), 'data-test': 'scan-back' }, t('products.all'));
    const scan = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.typed();
    };
    const field = (/** @type {string} */ id, /** @type {string} */ label, /** @type {HTMLInputElement} */ input) =>
      el('div.field', {}, el('label', { for: id }, label), input);
    this.root.replaceChildren(
      el('nav.crumbs', { 'aria-label': t('products.where') }, back),
      el('div.desk-head', {}, el('h2', {}, t('count.title'))),
      this.about,
      this.saved,
      el(
        'form.scan-form',
        { noValidate: true, onsubmit: scan },
        field('scan-code', t('count.code'), this.code),
        field('scan-units', t('count.units'), this.units),
        el('button', { type: 'submit', 'data-test': 'scan-add' }, t('count.add')),
      ),
      this.last,
      this.alert,
      this.openHead,
      this.open,
      this.list,
      this.empty,
      this.note,
      this.rest.node,
      this.bar,
    );
    listenToScanner({
      isOwn: (target) => target === this.code,
      onscan: (code) => this.scanned(code, 1),
      focus: () => this.code.focus(),
    });
    globalThis.addEventListener('storage', (event) => {
      if (!this.take.isOther(event)) return;
      this.take.load();
      this.paint();
    });
    globalThis.addEventListener('online', () => this.lookUpAgain());
    globalThis.addEventListener('beforeunload', (event) => {
      // Kept counts are not lost; others are.
      if (this.queue.length || (!this.take.isKept && !this.take.isEmpty())) event.preventDefault();
    });
    this.paint();
    this.code.focus();
    if (this.take.sending) this.say(t('count.unsure'));
    else this.lookUpAgain();
  }

  /** The field for codes, with Enter or its button. */
  typed() {
    const code = this.code.value.trim();
    if (!code) return this.code.focus();
    /** @type {number} */
    let units;
    try {
      units = wholeNumber(1, UNITS_MAX)(this.units.value.trim());
    } catch (fault) {
      this.units.setAttribute('aria-invalid', 'true');
      this.say(fault instanceof Error ? fault.message : String(fault));
      return this.units.focus();
    }
    this.units.removeAttribute('aria-invalid');
    this.units.value = '1';
    this.code.value = '';
    this.scanned(code, units);
    return this.code.focus();
  }

  /** @param {string} text of the alert; empty: none */
  say(text) {
    setText(this.alert, text);
    setVisible(this.alert, Boolean(text));
  }

  /** @param {string} code @param {number} units */
  scanned(code, units) {
    this.say('');
    if (this.take.sending) return this.say(t('count.unsure'));
    if (this.queue.length >= QUEUE_MAX) return this.say(t('count.too_fast'));
    this.queue.push({ code: code.trim(), units });
    return this.work();
  }

  /** Counts one scan after the other, in their order. */
  async work() {
    if (this.isLooking) return;
    this.isLooking = true;
    for (let next = this.queue[0]; next; next = this.queue[0]) {
      try {
        await this.count(next.code, next.units);
      } catch (error) {
        this.say(refusalText(asRefusal(error)));
      }
      this.queue.shift();
    }
    this.isLooking = false;
    this.paint();
  }

  /** @param {string} code @param {number} units */
  async count(code, units) {
    const known = this.take.known(code);
    if (known) return this.counted(this.take.count(known, units));
    /** @type {CountedVariant[]} */
    let found;
    try {
      ({ items: found } = await get(`/variants?${new URLSearchParams({ scan: code })}`));
    } catch (error) {
      if (!UNKNOWN_OUTCOME.has(asRefusal(error).code)) throw error;
      this.take.note(code, units, 'waiting');
      return this.say(t('count.waiting'));
    }
    if (found.length === 1) return this.counted(this.take.count(found[0], units));
    this.take.note(code, units, found.length ? 'several' : 'unknown', found);
    return this.say(t(found.length ? 'count.several' : 'count.unknown', { code }));
  }

  /** Says what was counted last. @param {Counted} row */
  counted(row) {
    setText(this.last, t('count.last', { title: nameOf(row), n: row.counted }));
    this.say('');
    this.paint();
  }

  /** Somebody looked for a variant that was not scanned, and nothing is there. @param {CountedVariant} variant */
  missing(variant) {
    try {
      this.counted(this.take.count(variant, 0));
    } catch (error) {
      this.say(refusalText(asRefusal(error)));
    }
  }

  /** Looks codes up that could not be looked up before. */
  lookUpAgain() {
    for (const { code } of this.take.open.filter(({ state }) => state === 'waiting')) {
      const one = this.take.take(code);
      if (one) this.queue.push({ code, units: one.units });
    }
    this.paint();
    return this.work();
  }

  paint() {
    const { take } = this;
    const rows = take.counted.map((row) =>
      countedRow(row, {
        oncorrect: (units) => {
          take.correct(row.variant, units);
          this.paintSum();
        },
        onremove: () => {
          take.remove(row.variant);
          this.paint();
        },
        isLocked: take.sending !== null,
      }),
    );
    this.list.replaceChildren(...rows);
    const open = take.open.map((one) =>
      openRow(one, {
        onchoose: (variant) => {
          const chosen = take.take(one.code);
          if (chosen) this.counted(take.count(variant, chosen.units));
        },
        onremove: () => {
          take.take(one.code);
          this.paint();
        },
        onretry: () => this.lookUpAgain(),
      }),
    );
    this.open.replaceChildren(...open);
    setVisible(this.open, open.length > 0);
    setVisible(this.openHead, open.length > 0);
    setVisible(this.empty, take.isEmpty());
    // Who counts on a phone needs the room.
    setVisible(this.about, take.isEmpty());
    setVisible(this.bar, !take.isEmpty());
    const since = take.startedAt ? t('count.kept', { time: formatDateTime(take.startedAt) }) : '';
    setText(this.note, take.isKept ? since : t('count.not_kept'));
    setVisible(this.note, !take.isEmpty());
    this.rest.repaint();
    this.paintSum();
  }

  paintSum() {
    const { counted } = this.take;
    const differences = this.take.differences().length;
    setText(this.sum, t('count.sum', { n: counted.length, differences }));
    this.applyButton.disabled = !counted.length;
    setText(this.applyButton, t(this.take.sending ? 'count.try_again' : differences ? 'count.apply' : 'count.finish'));
    this.discardButton.disabled = this.take.sending !== null;
  }

  async discard() {
    const [title, text] = [t('count.discard_title'), t('count.discard_sure')];
    if (!(await confirmDialog({ title, text, yes: t('count.discard'), no: t('count.keep'), danger: true }))) return;
    this.take.clear();
    this.take.save();
    setText(this.last, '');
    this.say('');
    this.paint();
    this.code.focus();
  }

  async apply() {
    const { take } = this;
    this.say('');
    if (this.queue.length) return this.say(t('count.too_fast'));
    if (!take.sending && !(await this.isSure())) return undefined;
    if (!take.sending && !take.differences().length) {
      take.counted = [];
      take.save();
      this.paint();
      return toast(t('count.as_expected'), { kind: 'good', test: 'scan-finished' });
    }
    const send = async () => {
      const { key, body } = take.begin();
      this.paint();
      /** @type {BulkEditResult} */
      const result = await post('/bulk-edits', body, { key });
      this.finish(result);
    };
    // A button that was busy is enabled again, also where there is nothing more to apply.
    return withBusy(this.applyButton, send, (refusal) => this.refuse(refusal)).finally(() => this.paintSum());
  }

  /** Asks before the stock is changed: how many variants get more and how many fewer units. */
  isSure() {
    const differences = this.take.differences();
    const more = differences.filter(({ counted, expected }) => counted > expected).length;
    const values = { more, fewer: differences.length - more, same: this.take.counted.length - differences.length };
    const open = this.take.open.length ? ` ${t('count.open_left', { n: this.take.open.length })}` : '';
    const text = `${t('count.apply_sure', values)}${open} ${t('count.rest_stays')}`;
    const title = t('count.apply_title');
    return confirmDialog({ title, text, yes: t(differences.length ? 'count.apply' : 'count.finish') });
  }

  /** @param {BulkEditResult} result */
  finish(result) {
    const { saved, refused } = this.take.finish(result);
    this.paint();
    if (this.rest.isRead) this.rest.read();
    setText(this.last, '');
    if (result.import) {
      const text = t('count.saved', { n: saved });
      speak(text);
      this.saved.replaceChildren(savedLine({ id: result.import, text, onundone: () => this.paint() }));
    }
    if (refused) this.say(t('count.refused', { n: refused }));
  }

  /** @param {Refusal} refusal */
  refuse(refusal) {
    const isUnknown = UNKNOWN_OUTCOME.has(refusal.code);
    // Until the outcome is certain, the same count is sent again with the same key.
    if (!isUnknown) this.take.refuse();
    this.paint();
    this.say(isUnknown ? t('count.unsure') : refusalText(refusal));
  }
}

/** @param {CountedVariant} row */
const nameOf = (row) => [titleOf(row), variantName(row)].filter(Boolean).join(' · ');
