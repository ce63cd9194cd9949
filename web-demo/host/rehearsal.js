// The rehearsal: a small audience of simulated viewers plays a show in a separate room, and this sheet shows how it goes.

import { asRefusal, del, get, post } from '../api.js';
import { formatNumber, load, refusalText, t } from '../i18n.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, setText, setVisible } from '../ui.js';
import { field, readAll, wholeNumber } from './form.js';

/** @import { Refusal, Rehearsal, Stream } from '../types.d.ts' */

await load('rehearse');

const RELOAD_MS = 1_000;
const FIGURES = /** @type {const} */ (['time', 'connected', 'messages', 'orders', 'delivery']);

/**
 * A show can be rehearsed until it has started.
 * @param {Stream} stream
 * @param {string | undefined} role
 */
export const canRehearse = (stream, role) =>
  stream.status === 'scheduled' && ['host', 'admin', 'owner'].includes(role ?? '');

/**
 * @param {Stream} stream
 * @param {(refusal: Refusal) => void} onrefused
 */
export function rehearsalSheet(stream, onrefused) {
  const path = `/streams/${encodeURIComponent(stream.id)}/rehearsal`;
  /**
   * @param {'viewers' | 'seconds'} name
   * @param {number} value
   * @param {(text: string) => number} check
   */
  const number = (name, value, check) =>
    field({ label: t(`rehearsal.${name}`), test: `rehearse-${name}`, value, inputMode: 'numeric', check });
  const fields = {
    viewers: number('viewers', 50, wholeNumber(1, 200)),
    seconds: number('seconds', 30, wholeNumber(24, 90)),
  };
  const start = el('button.primary.wide', { type: 'submit', 'data-test': 'rehearse-begin' }, t('rehearsal.start'));
  const stopNow = () => withBusy(stop, () => del(path), onrefused);
  const stop = el(
    'button.danger.wide',
    { type: 'button', 'data-test': 'rehearse-stop', hidden: true, onclick: stopNow },
    t('rehearsal.stop'),
  );
  const status = el('p.rehearsal-status', { role: 'status', 'data-test': 'rehearse-status' });
  const values = new Map(FIGURES.map((name) => [name, el('dd.num', { 'data-test': `rehearse-${name}` })]));
  const rows = [...values].map(([name, value]) => el('div', {}, el('dt', {}, t(`rehearsal.${name}`)), value));
  const figures = el('dl.rehearsal-figures', { hidden: true }, rows);
  // The invariants of the load test are sentences of the server, in English, for those who want to know.
  const checks = el('ul.rehearsal-checks', { dir: 'ltr', lang: 'en', 'data-test': 'rehearse-checks' });
  const checked = el('details.rehearsal-checked', { hidden: true }, el('summary', {}, t('rehearsal.checked')), checks);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  /** @param {Rehearsal | null} rehearsal */
  function paint(rehearsal) {
    const isRunning = rehearsal?.status === 'running';
    setVisible(start, !isRunning);
    setVisible(stop, isRunning);
    setVisible(figures, Boolean(rehearsal));
    for (const one of Object.values(fields)) one.control.disabled = isRunning;
    clearInterval(timer);
    if (isRunning && form.isConnected) timer = setInterval(reload, RELOAD_MS);
    if (!rehearsal) return;
    status.dataset.status = rehearsal.status;
    setText(status, verdict(rehearsal));
    const texts = figureTexts(rehearsal);
    for (const [name, value] of values) setText(value, texts[name]);
    const sentences = [...rehearsal.checks, rehearsal.why].filter(Boolean);
    checks.replaceChildren(...sentences.map((text) => el('li', {}, text)));
    setVisible(checked, sentences.length > 0);
    if (rehearsal.why) checked.open = true;
  }

  async function reload() {
    try {
      /** @type {{ rehearsal: Rehearsal | null }} */
      const { rehearsal } = await get(path);
      paint(rehearsal);
    } catch (error) {
      setText(status, refusalText(asRefusal(error)));
    }
  }

  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const wanted = readAll(fields);
    if (!wanted) return;
    withBusy(
      start,
      async () => paint(await post(path, wanted)),
      (refusal) => setText(status, refusalText(refusal)),
    );
  };
  const form = el(
    'form',
    { noValidate: true, onsubmit: submit },
    el('p', {}, t('rehearsal.about')),
    el('div.pair', {}, fields.viewers.node, fields.seconds.node),
    status,
    figures,
    checked,
    el('div.actions', {}, start, stop),
  );
  const onclose = () => clearInterval(timer);
  openSheet(form, { title: t('rehearsal'), test: 'rehearse', className: 'side', onclose });
  reload();
}

/**
 * What the rehearsal says about the show, in plain words.
 * @param {Rehearsal} rehearsal
 */
function verdict({ status, viewers, delivery_p99_ms }) {
  const text = t(`rehearsal.is_${status}`, { viewers });
  if (status !== 'passed' || delivery_p99_ms === null) return text;
  return `${text} ${t('rehearsal.speed', { ms: Math.ceil(delivery_p99_ms) })}`;
}

/** @param {Rehearsal} rehearsal */
function figureTexts({ elapsed_s, connected, viewers, messages, orders_held, delivery_p99_ms }) {
  return {
    time: t('rehearsal.s', { n: elapsed_s }),
    connected: t('rehearsal.of', { n: connected, all: viewers }),
    messages: formatNumber(messages),
    orders: formatNumber(orders_held),
    delivery: delivery_p99_ms === null ? '–' : t('rehearsal.ms', { n: Math.ceil(delivery_p99_ms) }),
  };
}
