// Rehearsing before the show: a small crowd plays an evening in a room of its own, and this sheet tells how it goes.

import { del, get, post } from '../api.js';
import { load, number, refusal, t } from '../i18n.js';
import { busy, sheet } from '../sheet.js';
import { el, put, show } from '../ui.js';
import { field, readAll, whole } from './form.js';

await load('rehearse');

const LOOK_MS = 1_000;

/** A show can be rehearsed until it has begun. */
export const canRehearse = (stream, role) => stream.status === 'scheduled' && (role === 'host' || role === 'admin');

export function rehearse(stream, tell) {
  const path = `/streams/${encodeURIComponent(stream.id)}/rehearsal`;
  const fields = {
    viewers: field({ label: t('rehearse.viewers'), test: 'rehearse-viewers', value: 50, inputMode: 'numeric', check: whole(1, 200) }),
    seconds: field({ label: t('rehearse.seconds'), test: 'rehearse-seconds', value: 30, inputMode: 'numeric', check: whole(24, 90) }),
  };
  const begin = el('button.primary.wide', { type: 'submit', 'data-test': 'rehearse-begin' }, t('rehearse.begin'));
  const stop = el('button.danger.wide', { type: 'button', 'data-test': 'rehearse-stop', hidden: true, onclick: () => busy(stop, () => del(path), tell) }, t('rehearse.stop'));
  const status = el('p.rehearse-status', { role: 'status', 'data-test': 'rehearse-status' });
  const figures = el('dl.rehearse-figures', { hidden: true });
  const values = {};
  for (const name of ['time', 'connected', 'messages', 'orders', 'delivery']) {
    values[name] = el('dd.num', { 'data-test': `rehearse-${name}` });
    figures.append(el('div', {}, el('dt', {}, t(`rehearse.${name}`)), values[name]));
  }
  const checks = el('ul.rehearse-checks', { dir: 'ltr', lang: 'en', 'data-test': 'rehearse-checks' });
  const form = el('form', { noValidate: true }, el('p', {}, t('rehearse.about')), el('div.pair', {}, fields.viewers.node, fields.seconds.node),
    status, figures, checks, el('div.actions', {}, begin, stop));
  let timer = null;
  sheet(form, { title: t('rehearse'), test: 'rehearse', className: 'side', onclose: () => clearInterval(timer) });

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const wanted = readAll(fields);
    if (wanted) busy(begin, async () => paint(await post(path, wanted)), (problem) => put(status, refusal(problem)));
  });

  function paint(told) {
    const running = told?.status === 'running';
    show(begin, !running);
    show(stop, running);
    show(figures, Boolean(told));
    for (const one of Object.values(fields)) one.control.disabled = running;
    clearInterval(timer);
    if (running && form.isConnected) timer = setInterval(look, LOOK_MS);
    if (!told) return;
    status.dataset.status = told.status;
    put(status, t(`rehearse.is_${told.status}`));
    put(values.time, t('rehearse.s', { n: told.passed_s }));
    put(values.connected, t('rehearse.of', { n: told.connected, all: told.viewers }));
    put(values.messages, number(told.messages));
    put(values.orders, number(told.orders_held));
    put(values.delivery, told.delivery_p99_ms === null ? '–' : t('rehearse.ms', { n: Math.ceil(told.delivery_p99_ms) }));
    checks.replaceChildren(...[...told.checks, ...(told.why ? [told.why] : [])].map((text) => el('li', {}, text)));
  }

  async function look() {
    try {
      paint((await get(path)).rehearsal);
    } catch (problem) {
      put(status, refusal(problem));
    }
  }
  look();
}
