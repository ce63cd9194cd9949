// Form fields that say what is wrong beside the field, and the question for a single number.

import { t } from '../i18n.js';
import { sheet } from '../sheet.js';
import { el } from '../ui.js';

let ids = 0;

/** `check(text)` returns the value, or throws an Error whose message is shown under the field. */
export function field({ label, test, value = '', check = (text) => text, hint, ...input }) {
  const id = `field-${++ids}`;
  const control = el('input', { id, type: 'text', dir: input.inputMode ? undefined : 'auto', value: String(value), 'data-test': test, 'aria-describedby': `${id}-error`, ...input });
  const error = el('p.field-error', { id: `${id}-error`, 'data-test': `error-${test}`, hidden: true });
  const read = () => {
    try {
      const result = check(control.value.trim());
      tell('');
      return { value: result };
    } catch (fault) {
      tell(fault.message);
      return { wrong: true };
    }
  };
  const tell = (text) => {
    error.hidden = !text;
    error.textContent = text;
    if (text) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
  };
  control.addEventListener('change', read);
  control.addEventListener('input', () => { if (!error.hidden) read(); });
  return { node: el('div.field', {}, el('label', { for: id }, label), control, hint && el('small', {}, hint), error), control, read, tell };
}

/** Reads all fields at once, so that every mistake is marked; returns null and puts the focus on the first one. */
export function readAll(fields) {
  const values = {};
  let first = null;
  for (const [name, one] of Object.entries(fields)) {
    const { value, wrong } = one.read();
    if (wrong) first ??= one;
    values[name] = value;
  }
  first?.control.focus();
  return first ? null : values;
}

/** People type ٤٩٫٥ and 49,5 as well as 49.5. */
export function latinDigits(text) {
  return text.replace(/[٠-٩]/g, (digit) => '٠١٢٣٤٥٦٧٨٩'.indexOf(digit)).replace(/[٫,]/g, '.');
}

export const required = (text) => {
  if (!text) throw new Error(t('form.required'));
  return text;
};

export const whole = (min, max) => (text) => {
  const value = Number(latinDigits(text));
  if (!text || !Number.isInteger(value) || value < min || value > max) throw new Error(t('form.between', { min: Number(min), max: Number(max) }));
  return value;
};

/** A price in the currency's units, as minor units. */
export const price = (digits, { optional = false, above } = {}) => (text) => {
  if (!text && optional) return null;
  const value = Number(latinDigits(text));
  const minor = Math.round(value * 10 ** digits);
  if (!text || !Number.isFinite(value) || minor <= 0 || minor > 1e12) throw new Error(t('form.price'));
  if (Math.abs(value * 10 ** digits - minor) > 1e-6) throw new Error(t('form.decimals', { n: digits }));
  if (above && minor <= above()) throw new Error(t('form.old_price'));
  return minor;
};

export const address = (text) => {
  if (!text) return null;
  if (!/^(https?:\/\/|\/)\S+$/.test(text)) throw new Error(t('form.address'));
  return text;
};

const two = (n) => String(n).padStart(2, '0');

/** A moment as `datetime-local` wants it, in the reader's own time. */
export function localTime(ms) {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** A moment still to come by the server's clock. */
export const future = (now) => (text) => {
  const at = new Date(text).getTime();
  if (!text || Number.isNaN(at)) throw new Error(t('form.required'));
  if (at <= now()) throw new Error(t('form.past'));
  return at;
};

/** What the server said of one field, beside that field; false when it is about none of them. */
export function tellField(fields, problem, text) {
  const one = fields[problem.detail?.field];
  one?.tell(text);
  one?.control.focus();
  return Boolean(one);
}

/** Asks for a time; resolves `{ starts_at }`, null in it for none, or null when the host thought better of it. */
export function askTime({ title, text, value, now }) {
  return new Promise((resolve) => {
    let answer = null;
    const at = field({ label: t('form.starts_at'), test: 'plan-at', type: 'datetime-local', dir: 'ltr', value: localTime(value ?? now() + 600_000), check: future(now) });
    const done = (starts_at) => { answer = { starts_at }; dialog.close(); };
    const form = el('form', { noValidate: true }, el('p', {}, el('bdi', {}, text)), at.node,
      el('div.actions', {}, el('button.ghost', { type: 'button', 'data-test': 'plan-none', onclick: () => done(null) }, t('host.plan_none')), el('button.primary', { type: 'submit', 'data-test': 'plan-submit' }, t('save'))));
    const dialog = sheet(form, { title, test: 'plan', className: 'small', onclose: () => resolve(answer) });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { value: starts_at, wrong } = at.read();
      if (!wrong) done(starts_at);
    });
  });
}

/** Asks for one number; resolves null when the host thought better of it. */
export function askNumber({ title, text, label, min, max, test }) {
  return new Promise((resolve) => {
    let answer = null;
    const add = field({ label, test: `${test}-add`, value: 10, check: whole(min, max), inputMode: 'numeric' });
    const form = el('form', { noValidate: true }, el('p', {}, el('bdi', {}, text)), add.node,
      el('div.actions', {}, el('button.ghost', { type: 'button', onclick: () => dialog.close() }, t('cancel')), el('button.primary', { type: 'submit', 'data-test': `${test}-submit` }, t('host.add'))));
    const dialog = sheet(form, { title, test, className: 'small', onclose: () => resolve(answer) });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { value, wrong } = add.read();
      if (wrong) return;
      answer = value;
      dialog.close();
    });
    add.control.select();
  });
}
