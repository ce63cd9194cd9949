// The form that makes offers of a product: a row for each variant, and for a flash sale its countdown, length and time.
//
// What is wrong stands beside its field, whether this page found it or the server did. Rows are saved one by one; those
// that are in leave the form, so pressing again makes nothing twice.

import { post } from '../api.js';
import { fractionDigits, money, refusal, t, titleOf, variantOf } from '../i18n.js';
import { busy } from '../sheet.js';
import { el, icon, picture } from '../ui.js';
import { field, future, localTime, price, readAll, tellField, whole } from './form.js';

const COUNTDOWN_S = [10, 300];
const LENGTH_MIN = [1, 20];
const HOLD_S = [10, 3600];
const AHEAD_MS = 15 * 60_000;

export function saleForm(product, variant, { stream, rundown, shop, body, back, close }) {
  const now = () => rundown.client.now();
  const rows = [];
  const list = el('div.sale-rows');
  const more = el('div.row-actions');
  const add = (one) => {
    const row = variantRow(one, shop, rows.length ? `-${rows.length + 1}` : '', () => { rows.splice(rows.indexOf(row), 1); row.node.remove(); offerMore(); });
    rows.push(row);
    list.append(row.node);
    offerMore();
    return row;
  };
  const offerMore = () => {
    const rest = product.variants.filter((one) => !rows.some((row) => row.variant === one));
    more.replaceChildren(...rest.map((one) => el('button.slim', { type: 'button', 'data-test': `also-${one.id}`, onclick: () => add(one).fields.price.control.focus() }, icon('plus'), el('bdi', {}, variantOf(one)))));
    for (const row of rows) row.drop.hidden = rows.length === 1;
  };
  add(variant);

  const hold = { hold_s: field({ label: t('form.hold'), test: 'offer-hold', value: 300, inputMode: 'numeric', check: whole(...HOLD_S) }) };
  const minutes = whole(...LENGTH_MIN);
  const flash = {
    countdown_s: field({ label: t('form.countdown'), test: 'offer-countdown', value: 30, hint: t('form.range', { min: COUNTDOWN_S[0], max: COUNTDOWN_S[1] }), inputMode: 'numeric', check: whole(...COUNTDOWN_S) }),
    duration_s: field({ label: t('form.length'), test: 'offer-duration', value: 5, hint: t('form.range', { min: LENGTH_MIN[0], max: LENGTH_MIN[1] }), inputMode: 'numeric', check: (text) => minutes(text) * 60 }),
  };
  const time = { starts_at: field({ label: t('form.starts_at'), test: 'offer-starts-at', type: 'datetime-local', dir: 'ltr', value: localTime(now() + AHEAD_MS), hint: t('form.starts_at_hint'), check: future(now) }) };
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'offer-error' });
  const draft = el('button', { type: 'submit', 'data-test': 'offer-save' }, t('host.save_draft'));
  const start = el('button.primary', { type: 'button', 'data-test': 'offer-start', onclick: () => save(start, true) });

  const chosen = { kind: 'regular', when: 'now' };
  const planned = () => chosen.kind === 'flash' && chosen.when === 'time';
  const flashPart = el('div');
  const dress = () => {
    flashPart.hidden = chosen.kind !== 'flash';
    time.starts_at.node.hidden = !planned();
    draft.hidden = planned();
    start.textContent = t(planned() ? 'host.save_plan' : 'host.save_open');
  };
  const choice = (name, value, label, hint) => el('label.choice', {},
    el('input', { type: 'radio', name, value, checked: chosen[name] === value, 'data-test': `offer-${name}-${value}`, onchange: () => { chosen[name] = value; dress(); } }),
    el('span', {}, el('b', {}, label), hint && el('small', {}, hint)));
  flashPart.append(el('div.pair', {}, flash.countdown_s.node, flash.duration_s.node),
    el('div.kinds', { role: 'radiogroup', 'aria-label': t('form.begins') }, choice('when', 'now', t('form.when_now')), choice('when', 'time', t('form.when_time'))), time.starts_at.node);

  async function save(button, begin) {
    alert.hidden = true;
    const shared = { ...hold, ...(chosen.kind === 'flash' ? flash : {}), ...(planned() ? time : {}) };
    const terms = readAll(shared);
    const wishes = rows.map((row) => ({ row, values: readAll(row.fields) }));
    if (!terms || wishes.some(({ values }) => !values)) return;
    for (const { row, values } of wishes) {
      let done = false;
      await busy(button, async () => {
        const offer = await post(`/streams/${stream.id}/offers`, { variant: row.variant.id, kind: chosen.kind, ...terms, ...values });
        rundown.note(offer);
        row.node.remove();
        rows.splice(rows.indexOf(row), 1);
        done = true;
        if (begin && !planned()) await rundown.open(offer, null, { sure: true });
      }, (problem) => {
        const text = refusal(problem);
        if (problem.code === 'not_enough_stock') return row.fields.quantity.tell(text);
        if (tellField({ ...shared, ...row.fields }, problem, text)) return undefined;
        alert.textContent = text;
        alert.hidden = false;
        return undefined;
      });
      rundown.paint();
      if (!done) return;
    }
    close();
  }

  dress();
  body.replaceChildren(el('form', { noValidate: true, 'data-test': 'offer-form', onsubmit: (event) => { event.preventDefault(); save(planned() ? start : draft, planned()); } },
    back, el('div.summary', {}, picture(product.image), el('span.summary-text', {}, el('bdi', {}, titleOf(product)))),
    el('div.kinds', { role: 'radiogroup', 'aria-label': t('form.kind') }, ['regular', 'flash'].map((kind) => choice('kind', kind, t(`host.kind_${kind}`), t(`host.kind_${kind}_more`)))),
    list, more, flashPart, hold.hold_s.node, alert, el('div.actions', {}, draft, start)));
}

/** Price, quantity and limit of one variant. */
function variantRow(variant, shop, mark, drop) {
  const digits = fractionDigits(variant.currency);
  const shown = (minor) => (minor / 10 ** digits).toFixed(minor % 10 ** digits ? digits : 0);
  const pool = variant.stock ?? 0;
  const fields = {
    price: field({ label: t('form.price_label', { currency: variant.currency }), test: `offer-price${mark}`, value: shown(variant.price), check: price(digits), inputMode: 'decimal' }),
    old_price: field({ label: t('form.old_price_label'), test: `offer-old-price${mark}`, inputMode: 'decimal',
      check: price(digits, { optional: true, above: () => price(digits)(fields.price.control.value.trim()) }) }),
    quantity: field({ label: t('form.quantity'), test: `offer-quantity${mark}`, value: Math.min(20, pool), hint: t('host.in_pool', { n: pool }), inputMode: 'numeric',
      check: (text) => { const value = whole(1, 1_000_000)(text); if (value > pool) throw new Error(t('form.above_stock', { n: pool })); return value; } }),
    per_buyer: field({ label: t('form.per_buyer'), test: `offer-per-buyer${mark}`, value: 2, inputMode: 'numeric', check: whole(1, 1_000) }),
  };
  const button = el('button.round.ghost', { type: 'button', 'aria-label': t('form.drop'), onclick: () => drop() }, icon('bin'));
  const node = el('fieldset.sale-row', {}, el('legend', {}, el('bdi', {}, variantOf(variant)), ' · ', el('bdi', {}, money(variant.price, variant.currency))), button,
    el('div.pair', {}, fields.price.node, fields.old_price.node), el('div.pair', {}, fields.quantity.node, fields.per_buyer.node));
  return { variant, fields, node, drop: button };
}
