// What waits for the team: said or hidden by one press.

import { post } from '../api.js';
import { t, timeOfDay } from '../i18n.js';
import { list } from '../list.js';
import { busy } from '../sheet.js';
import { el, put, show } from '../ui.js';

export class Held {
  constructor({ stream, tell, root, count }) {
    Object.assign(this, { stream, tell, root, count });
    this.rows = new Map(); // message id → row
    this.paint();
  }

  /** All of it anew: a frame may have been lost while the link was. */
  async load() {
    const items = await list(`/streams/${this.stream.id}/held`).catch(() => null);
    if (!items) return;
    this.rows.clear();
    for (const message of items) this.rows.set(message.id, this.row(message));
    this.paint();
  }

  note({ message, settled }) {
    if (settled) this.rows.delete(settled);
    if (message && !this.rows.has(message.id)) this.rows.set(message.id, this.row(message));
    this.paint();
  }

  /** Who was silenced takes what waits along. */
  drop(user) {
    for (const [id, row] of this.rows) if (row.dataset.user === user) this.rows.delete(id);
    this.paint();
  }

  row({ id, at, from, text }) {
    const decide = (act, look) => {
      const button = el(`button.${look}`, { type: 'button', 'data-test': `held-${act}`, onclick: () => busy(button, async () => {
        await post(`/streams/${this.stream.id}/held/${id}/${act}`);
        this.note({ settled: id });
      }, this.tell) }, t(`host.${act}`));
      return button;
    };
    const row = el('li', { 'data-test': 'held-row' }, el('bdi.name', {}, from.name), ' ', el('small', {}, timeOfDay(at)),
      el('div.text', { dir: 'auto' }, text), el('div.row-actions', {}, decide('approve', 'slim.primary'), decide('hide', 'slim')));
    row.dataset.user = from.id;
    return row;
  }

  paint() {
    const rows = [...this.rows.values()];
    this.root.replaceChildren(...(rows.length ? rows : [el('li.empty', {}, t('host.held_none'))]));
    show(this.count, rows.length > 0);
    put(this.count, String(rows.length));
  }
}
