// "Tell me": bells on offers, waiting for units to come back, and the start of a show.
//
// A page can only ring while it is open. Where the browser allows it (HTTPS or this machine) it also shows a
// notification; where it does not, the page says so. Waiting reserves nothing.

import { call, get, token, UNKNOWN } from './api.js';
import { dir, lang, load, refusal, t, titleOf } from './i18n.js';
import { buyable, fullTitle, phaseOf } from './offer.js';
import { speak, toast } from './ui.js';

await load('buy');

const AGAIN_MS = 10_000; // one offer rings at most so often
const LONG_MS = 9_000;

export class Tell {
  constructor({ client, onchange = () => {} }) {
    Object.assign(this, { client, onchange });
    this.slot = `livesouk.bells.${client.stream}`;
    this.bells = new Set(kept(this.slot));
    this.waits = new Set();
    this.phases = new Map();
    this.rungAt = new Map();
    this.reminded = kept(`livesouk.remind.${client.stream}`) === true;
    this.look(false);
    client.on('state', () => this.look(true));
    client.on('event', (event, { replay }) => {
      if (event.type === 'pinned' && !replay && this.bells.has(event.offer)) this.ring(event.offer, 'tell.shown');
      if (event.type === 'started' && !replay && this.reminded) this.started();
    });
    client.on('order', (order) => { if (this.waits.has(order.offer) && order.status === 'held') this.unwait(order.offer).catch(() => {}); });
  }

  // ---- bells ----

  rings(id) {
    return this.bells.has(id);
  }

  bell(offer) {
    if (this.bells.delete(offer.id)) { this.keep(); return; }
    this.bells.add(offer.id);
    this.keep();
    pledge(t('bell.set', { offer: fullTitle(offer) }));
  }

  keep() {
    sessionStorage.setItem(this.slot, JSON.stringify([...this.bells]));
    this.onchange();
  }

  // ---- waiting ----

  waiting(id) {
    return this.waits.has(id);
  }

  /** What the server knows of us: after a sign-in, and on a second screen. */
  async load() {
    if (!token.get()) return;
    const before = new Set(this.waits);
    const { items } = await get(`/streams/${this.client.stream}/waits`);
    // What was asked for while the answer was on its way is newer than it.
    this.waits = new Set([...items, ...[...this.waits].filter((id) => !before.has(id))]);
    this.onchange();
  }

  async toggle(offer) {
    try {
      if (this.waits.has(offer.id)) {
        await this.unwait(offer.id);
        return toast(t('wait.left'));
      }
      await this.ask('PUT', offer.id);
      this.waits.add(offer.id);
      this.onchange();
      return pledge(t('wait.joined', { offer: fullTitle(offer) }), 'toast-wait');
    } catch (problem) {
      return toast(UNKNOWN.has(problem.code) ? t('error.network') : refusal(problem), { kind: 'warn' });
    }
  }

  async unwait(id) {
    await this.ask('DELETE', id);
    this.waits.delete(id);
    this.onchange();
  }

  async ask(method, offer) {
    if (this.client.live) await this.client.request(method === 'PUT' ? 'wait' : 'unwait', { offer });
    else await call(method, `/offers/${offer}/wait`);
  }

  // ---- the show itself ----

  remind(on) {
    this.reminded = on;
    sessionStorage.setItem(`livesouk.remind.${this.client.stream}`, JSON.stringify(on));
    this.onchange();
    if (on) pledge(t('remind.set'));
  }

  started() {
    this.remind(false);
    this.say(t('tell.started', { show: titleOf(this.client.show) }));
  }

  // ---- noticing ----

  look(live) {
    const now = this.client.now();
    for (const [id, offer] of this.client.state.offers) {
      const before = this.phases.get(id);
      const phase = phaseOf(offer, now);
      this.phases.set(id, phase);
      if (!live || !before || before === phase || buyable(before) || !buyable(phase)) continue;
      if (this.waits.has(id)) this.ring(id, 'tell.back');
      else if (this.bells.has(id)) this.ring(id, 'tell.open');
    }
  }

  ring(id, text) {
    const now = Date.now();
    if (now - (this.rungAt.get(id) ?? 0) < AGAIN_MS) return;
    this.rungAt.set(id, now);
    if (this.bells.delete(id)) this.keep();
    const offer = this.client.state.offers.get(id);
    if (offer) this.say(t(text, { offer: fullTitle(offer) }));
  }

  say(text) {
    toast(text, { ms: LONG_MS, kind: 'good', test: 'toast-tell' });
    speak(text);
    if (document.hasFocus() || !allowed()) return;
    try {
      const note = new Notification(document.title, { body: text, icon: '/assets/icon.svg', lang, dir, tag: this.client.stream });
      note.onclick = () => { window.focus(); note.close(); };
    } catch { /* phones show notifications from a service worker only; the toast has been shown */ }
  }
}

const allowed = () => 'Notification' in window && isSecureContext && Notification.permission === 'granted';

/** Says what one may expect, and asks for leave to show notifications; nothing waits for the answer. */
function pledge(text, test) {
  toast(allowed() ? text : `${text} ${t('tell.keep_open')}`, { ms: LONG_MS, test });
  if ('Notification' in window && isSecureContext && Notification.permission === 'default') Notification.requestPermission().catch(() => {});
}

function kept(slot) {
  try { return JSON.parse(sessionStorage.getItem(slot)) ?? []; } catch { return []; }
}
