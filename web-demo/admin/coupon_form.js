// The forms of a coupon: a new one, and what can be changed of one that buyers know.

import { patch, post } from '../api.js';
import { newKey } from '../client.js';
import { field, futureTime, price, readAll, required, showFieldError, wholeNumber } from '../host/form.js';
import { formatMoney, lang, load, refusalText, t, titleOf } from '../i18n.js';
import { exampleNumber, parseNumber } from '../number_input.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, setVisible, toast } from '../ui.js';
import { choice } from './choice.js';
import { NAMES, takeOver, textOf } from './coupon_conflict.js';
import { ProductPicker } from './coupon_products.js';
import { guardTyped } from '../host/unsaved.js';

/** @import { Coupon, Refusal, Shop, Stream } from '../types.d.ts' */
/** @import { Field } from '../host/form.js' */

await load('coupons');

/** The server has the same limit. */
const USES_MAX = 1_000_000;

/**
 * @template T
 * @param {(text: string) => T} check
 */
const optional = (check) => (/** @type {string} */ text) => (text ? check(text) : null);

/** A percentage with up to two decimals, as basis points. @param {string} text */
function percent(text) {
  const parsed = parseNumber(text, lang, 2);
  if (!text || 'fault' in parsed || parsed.value < 1 || parsed.value > 10_000) {
    throw new Error(t('coupons.percent_range', { example: exampleNumber(lang, 1) }));
  }
  return parsed.value;
}

/** @param {Coupon | null} coupon */
function endField(coupon) {
  return field({
    label: t('coupons.ends_at'),
    test: 'coupon-ends',
    type: 'datetime-local',
    dir: 'ltr',
    value: coupon ? textOf(coupon, 'ends_at') : '',
    hint: t('coupons.ends_hint'),
    check: optional(futureTime(Date.now)),
  });
}

/** @param {Coupon | null} coupon */
function quotaField(coupon) {
  return field({
    label: t('coupons.quota'),
    test: 'coupon-quota',
    inputMode: 'numeric',
    value: coupon ? textOf(coupon, 'quota') : '',
    hint: t('coupons.quota_hint'),
    check: optional(wholeNumber(1, USES_MAX)),
  });
}

/** @param {Coupon | null} coupon */
function personField(coupon) {
  return field({
    label: t('coupons.per_person'),
    test: 'coupon-per-person',
    inputMode: 'numeric',
    value: coupon ? textOf(coupon, 'per_person') : 1,
    check: wholeNumber(1, USES_MAX),
  });
}

/**
 * @param {Shop} shop
 * @param {Stream[]} shows
 * @param {() => Promise<void>} ondone
 */
export function openNew(shop, shows, ondone) {
  const code = field({
    label: t('coupons.code'),
    test: 'coupon-code',
    hint: t('coupons.code_hint'),
    maxLength: 40,
    autocomplete: 'off',
    check: required,
  });
  const kind = choice({
    label: t('coupons.kind'),
    test: 'coupon-kind',
    options: [
      ['percent_bp', t('coupons.kind_percent')],
      ['amount', t('coupons.kind_amount', { currency: shop.currency })],
    ],
    onchange: (value) => (value === 'amount' ? rate.node.replaceWith(sum.node) : sum.node.replaceWith(rate.node)),
  });
  const rate = field({ label: t('coupons.percent'), test: 'coupon-percent', inputMode: 'decimal', check: percent });
  const sum = field({
    label: t('coupons.amount', { currency: shop.currency }),
    test: 'coupon-amount',
    inputMode: 'decimal',
    check: price(shop.currency),
  });
  const starts = field({
    label: t('coupons.starts_label'),
    test: 'coupon-starts',
    type: 'datetime-local',
    dir: 'ltr',
    hint: t('coupons.starts_hint'),
    check: optional((text) => new Date(text).getTime()),
  });
  const minimum = field({
    label: t('coupons.minimum', { currency: shop.currency }),
    test: 'coupon-minimum',
    inputMode: 'decimal',
    hint: t('coupons.minimum_hint'),
    check: optional(price(shop.currency)),
  });
  const open = shows.filter(({ status }) => status !== 'ended');
  const show = choice({
    label: t('coupons.show'),
    test: 'coupon-show',
    options: [
      ['', t('coupons.every_show')],
      ...open.map((one) => /** @type {[string, string]} */ ([one.id, titleOf(one)])),
    ],
  });
  const products = new ProductPicker();
  const [ends, quota, perPerson] = [endField(null), quotaField(null), personField(null)];
  const key = newKey();
  openForm({
    title: t('coupons.new'),
    test: 'coupon-form',
    submit: t('coupons.make'),
    rows: [
      code.node,
      kind.node,
      rate.node,
      pair(quota, perPerson),
      pair(starts, ends),
      minimum.node,
      show.node,
      products.node,
    ],
    first: code,
    read: () => {
      const part = kind.control.value === 'amount' ? sum : rate;
      /** @type {Record<string, Field<any>>} */
      const fields = {
        code,
        [kind.control.value]: part,
        quota,
        per_person: perPerson,
        starts_at: starts,
        ends_at: ends,
        minimum,
      };
      const values = readAll(fields);
      const more = { stream: show.control.value || undefined, products: products.ids };
      return { fields, values: values && { ...given(values), ...more } };
    },
    send: async (values) => {
      await post('/shop/coupons', values, { key });
      await ondone();
    },
  });
}

/**
 * @param {Coupon} coupon
 * @param {(changed: Coupon) => void} ondone also with what somebody else changed
 */
export function openChange(coupon, ondone) {
  const fields = { ends_at: endField(coupon), quota: quotaField(coupon), per_person: personField(coupon) };
  /** What the fields are compared with: the newest coupon that the server has shown. */
  let base = coupon;
  const conflict = el('div', { hidden: true, 'data-test': 'coupon-conflict' });
  // A field that nobody touched is not sent: the minutes of a field are not the milliseconds of the coupon.
  const touched = () => NAMES.filter((name) => fields[name].control.value.trim() !== textOf(base, name));
  const least =
    coupon.minimum > 0 ? ` · ${t('coupons.from', { amount: formatMoney(coupon.minimum, coupon.currency) })}` : '';
  openForm({
    title: t('coupons.change_title', { code: coupon.code }),
    test: 'coupon-change-form',
    submit: t('save'),
    rows: [
      el('p.fine', {}, t('coupons.change_about'), least),
      conflict,
      pair(fields.quota, fields.per_person),
      fields.ends_at.node,
    ],
    first: fields.quota,
    read: () => ({
      fields,
      values: readAll(Object.fromEntries(touched().map((name) => [name, /** @type {Field<any>} */ (fields[name])]))),
    }),
    send: async (values) => {
      ondone(await patch(`/shop/coupons/${coupon.id}`, { version: base.version, ...values }));
    },
    onrefused: (refusal, dialog) => {
      const newer = /** @type {Coupon | undefined} */ (refusal.detail?.current);
      if (refusal.code !== 'outdated' || !newer?.code) return false;
      ondone(newer);
      if (newer.ended_at) {
        dialog.close();
        toast(t('coupons.ended_meanwhile', { code: newer.code }), { kind: 'warn', test: 'coupon-ended-meanwhile' });
        return true;
      }
      conflict.replaceChildren(takeOver({ base, newer, fields }));
      base = newer;
      setVisible(conflict, true);
      conflict.scrollIntoView({ block: 'center' });
      return true;
    },
  });
}

/**
 * @param {{ title: string, test: string, submit: string, rows: (HTMLElement | null)[], first: Field<any>,
 *   read: () => { fields: Record<string, Field<any>>, values: Record<string, unknown> | null },
 *   send: (values: Record<string, unknown>) => Promise<void>,
 *   onrefused?: (refusal: Refusal, dialog: HTMLDialogElement) => boolean }} options `onrefused`: whether it has shown the refusal
 */
function openForm({ title, test, submit: label, rows, first, read, send, onrefused }) {
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'coupon-alert' });
  const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'coupon-save' }, label);
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const { fields, values } = read();
    if (!values) return;
    alert.hidden = true;
    const work = async () => {
      await send(values);
      dialog.close();
    };
    /** @param {Refusal} refusal */
    const fail = (refusal) => {
      if (onrefused?.(refusal, dialog)) return;
      const text =
        refusal.code === 'invalid_value' && refusal.detail?.field === 'code'
          ? t('coupons.code_taken')
          : refusalText(refusal);
      if (showFieldError(fields, refusal, text)) return;
      alert.textContent = text;
      alert.hidden = false;
    };
    withBusy(submit, work, fail);
  };
  const form = el('form.desk-secret', { noValidate: true, onsubmit }, rows, alert, submit);
  const dialog = guardTyped(openSheet(form, { title, test, className: 'side' }));
  first.control.focus();
}

/** @param {Field<any>} one @param {Field<any>} other */
const pair = (one, other) => el('div.pair', {}, one.node, other.node);

/** Without the fields that were left empty. @param {Record<string, unknown>} values */
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
