// The field of the chat. It says why the reader cannot write, and it counts down in slow mode.

import { asRefusal } from './api.js';
import { formatDuration, t } from './i18n.js';
import { el, icon } from './ui.js';

/** @import { Refusal } from './types.d.ts' */

const TEXT_MAX = 200;

/**
 * Why nothing can be sent. `act` leads to what is missing, for example the sign-in. `isPassing`: this ends by itself, so
 * that the reader may go on typing.
 * @typedef {{ reason: string, act?: () => void, isPassing?: boolean }} ChatBarrier
 */

export class ChatField {
  /**
   * @param {{
   *   form: HTMLFormElement,
   *   input: HTMLInputElement,
   *   button: HTMLButtonElement,
   *   barrier: () => ChatBarrier | null,
   *   send: (text: string) => Promise<unknown>,
   *   onrefused: (refusal: Refusal) => void,
   *   now: () => number,
   *   hint?: () => string,
   * }} options `barrier` says why the reader cannot write, or null
   */
  constructor({ form, input, button, barrier, send, onrefused, now, hint = () => t('chat.hint') }) {
    this.form = form;
    this.input = input;
    this.button = button;
    this.barrier = barrier;
    this.send = send;
    this.onrefused = onrefused;
    this.now = now;
    this.hint = hint;
    this.isSending = false;
    /** When slow mode lets the reader write again. */
    this.freeAt = 0;
    // Scalar values are counted when sending; an emoji may be two units.
    input.maxLength = TEXT_MAX * 2;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    input.addEventListener('pointerdown', (event) => this.pressWhileClosed(event));
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && this.input.readOnly) this.pressWhileClosed(event);
    });
  }

  /** @param {Event} event */
  pressWhileClosed(event) {
    const act = this.barrier()?.act;
    if (!act) return;
    event.preventDefault();
    act();
  }

  async submit() {
    const barrier = this.barrier();
    if (barrier) return barrier.act?.();
    const typed = this.input.value;
    const text = typed.trim();
    if ([...text].length > TEXT_MAX) return this.onrefused({ code: 'too_long' });
    if (!text || this.isSending || this.now() < this.freeAt) return;
    this.isSending = true;
    this.paint();
    try {
      await this.send(text);
      // Only what was sent goes: the reader may have typed on while it was under way.
      if (this.input.value.startsWith(typed)) this.input.value = this.input.value.slice(typed.length);
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.retry_ms) this.waitFor(refusal.retry_ms);
      if (!(refusal.code === 'slow_mode' && refusal.retry_ms)) this.onrefused(refusal);
    }
    this.isSending = false;
    this.paint();
  }

  /**
   * The send button becomes a countdown; the text can still be edited.
   * @param {number} ms
   */
  waitFor(ms) {
    this.freeAt = this.now() + ms;
    this.paint();
  }

  paint() {
    const barrier = this.barrier();
    const rest = this.freeAt - this.now();
    this.form.dataset.closed = String(Boolean(barrier));
    this.input.readOnly = Boolean(barrier && !barrier.isPassing);
    this.input.placeholder = barrier?.reason ?? this.hint();
    // The reason is the placeholder, so a text in the field goes, unless the field opens again soon.
    if (barrier && this.input.value && !barrier.act && !barrier.isPassing) this.input.value = '';
    this.button.disabled = this.isSending || rest > 0 || Boolean(barrier && !barrier.act);
    const isCounting = rest > 0 && !barrier;
    const face = isCounting ? formatDuration(rest) : 'send';
    if (this.button.dataset.face === face) return;
    this.button.dataset.face = face;
    this.button.setAttribute('aria-label', isCounting ? `${t('send')} ${face}` : t('send'));
    this.button.replaceChildren(isCounting ? el('bdi', { dir: 'ltr', 'data-test': 'chat-wait' }, face) : icon('send'));
  }
}
