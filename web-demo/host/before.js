// Before the show: what should be ready, and the link to share.

import { t } from '../i18n.js';
import { list } from '../list.js';
import { share } from '../share.js';
import * as sheets from '../sheet.js';
import { el, icon, show } from '../ui.js';

const TEAM_MS = 10_000;
const ITEMS = ['video', 'products', 'payment', 'helper'];

export class Before {
  constructor({ node, stream, role }) {
    Object.assign(this, { node, stream, role });
    this.marks = new Map(ITEMS.map((name) => [name, el('b.check-mark')]));
    const qr = this.qr = el('img.qr', { alt: t('before.qr'), onerror: () => { qr.hidden = true; } });
    node.append(el('h2', {}, t('before.title')),
      el('ul.checks', {}, ITEMS.map((name) => el('li', { 'data-test': `check-${name}` }, this.marks.get(name), el('span', {}, t(`before.${name}`))))),
      el('div.before-share', {}, qr, el('span.row-text', {}, el('span', {}, t('before.share')), el('bdi.fine', { dir: 'ltr' }, `${location.origin}/watch?stream=${stream.id}`),
        el('button.slim', { type: 'button', 'data-test': 'before-share', onclick: () => share(this.stream, async () => sheets.sheet) }, t('share')))));
    setInterval(() => { if (!document.hidden && !node.hidden) this.team(); }, TEAM_MS);
  }

  async team() {
    if (!['host', 'admin'].includes(this.role())) return;
    try {
      const invites = await list(`/streams/${this.stream.id}/invites`, 1);
      this.helper = invites.some((invite) => !invite.revoked_at && invite.helpers.some((helper) => helper.online));
    } catch { /* the connection bar tells */ }
  }

  paint(stream, { offers, report }) {
    this.stream = stream;
    const shown = stream.status === 'scheduled';
    if (shown && this.node.hidden) {
      this.team();
      if (!this.qr.src) this.qr.src = `/v1/streams/${encodeURIComponent(stream.id)}/qr.svg`;
    }
    show(this.node, shown);
    if (!shown) return;
    const done = { video: Boolean(stream.video), products: offers.size > 0, payment: Boolean(report && report.orders_paid + report.orders_refunded), helper: Boolean(this.helper) };
    for (const [name, mark] of this.marks) {
      if (mark.dataset.done === String(done[name])) continue;
      mark.dataset.done = String(done[name]);
      mark.replaceChildren(done[name] ? icon('check') : '', el('span.for-reader', {}, t(done[name] ? 'before.done' : 'before.open')));
    }
  }
}
