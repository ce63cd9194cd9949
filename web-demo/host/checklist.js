// The checklist before the show: what should be ready, and the link to share.

import { route, shopAddress } from '../base.js';
import { t } from '../i18n.js';
import { listAll } from '../list.js';
import { share } from '../share.js';
import { el, icon, setVisible } from '../ui.js';

/** @import { Invite, Offer, Report, Shop, Stream } from '../types.d.ts' */

const TEAM_MS = 10_000;
const ITEMS = /** @type {const} */ (['video', 'products', 'payment', 'helper']);

export class Checklist {
  /**
   * @param {{ node: HTMLElement, shop: Shop, stream: Stream, role: () => string | undefined,
   *   ways: Record<(typeof ITEMS)[number], () => void> }} options `ways` lead to where an item is done
   */
  constructor({ node, shop, stream, role, ways }) {
    this.node = node;
    this.stream = stream;
    this.role = role;
    this.hasHelper = false;
    this.marks = new Map(ITEMS.map((name) => [name, el('b.check-mark')]));
    this.qr = el('img.qr', { alt: t('checklist.qr') });
    this.qr.addEventListener('error', () => {
      this.qr.hidden = true;
    });
    const items = [...this.marks].map(([name, mark]) => {
      const way = { type: 'button', 'data-test': `do-${name}`, onclick: ways[name] };
      const text = t(`checklist.${name}`);
      return el('li', { 'data-test': `check-${name}` }, mark, el('button.check-way', way, text), el('span', {}, text));
    });
    const url = `${shop.base_url ?? shopAddress()}/watch?stream=${encodeURIComponent(stream.id)}`;
    const openShare = () => share(shop.base_url, this.stream);
    node.append(
      el('h2', {}, t('checklist.title')),
      el('ul.checks', {}, items),
      el(
        'div.checklist-share',
        {},
        this.qr,
        el(
          'span.row-text',
          {},
          el('span', {}, t('checklist.share')),
          el('bdi.fine', { dir: 'ltr' }, url),
          el('button.slim', { type: 'button', 'data-test': 'checklist-share', onclick: openShare }, t('share')),
        ),
      ),
    );
    setInterval(() => {
      if (!document.hidden && !node.hidden) this.loadTeam();
    }, TEAM_MS);
  }

  async loadTeam() {
    if (!['host', 'admin', 'owner'].includes(this.role() ?? '')) return;
    try {
      /** @type {Invite[]} */
      const invites = await listAll(`/streams/${this.stream.id}/invites`, 1);
      const active = invites.filter((invite) => !invite.revoked_at);
      this.hasHelper = active.some((invite) => invite.helpers.some((helper) => helper.online));
    } catch {
      // The connection bar shows that the shop cannot be reached.
    }
  }

  /**
   * @param {Stream} stream
   * @param {{ offers: Map<string, Offer>, report: Report | null }} facts
   */
  paint(stream, { offers, report }) {
    this.stream = stream;
    const isShown = stream.status === 'scheduled';
    if (isShown && this.node.hidden) {
      this.loadTeam();
      if (!this.qr.src) this.qr.src = route(`/v1/streams/${encodeURIComponent(stream.id)}/qr.svg`);
    }
    setVisible(this.node, isShown);
    if (!isShown) return;
    const done = {
      video: Boolean(stream.video),
      products: offers.size > 0,
      payment: report !== null && report.orders_paid + report.orders_refunded > 0,
      helper: this.hasHelper,
    };
    for (const [name, mark] of this.marks) {
      const isDone = done[name];
      if (mark.dataset.done === String(isDone)) continue;
      mark.dataset.done = String(isDone);
      const text = el('span.for-reader', {}, t(isDone ? 'checklist.done' : 'checklist.open'));
      mark.replaceChildren(...(isDone ? [icon('check')] : []), text);
      // What is done leads nowhere any more.
      const [, way, words] = /** @type {Iterable<HTMLElement>} */ (mark.parentElement?.children ?? []);
      setVisible(way, !isDone);
      setVisible(words, isDone);
    }
  }
}
