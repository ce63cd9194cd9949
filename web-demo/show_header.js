// The parts of the viewer page that describe the show: title, host, badge, clock, viewers, the notice over the video, the
// buttons before and after the show, and the account button.

import { accountButton } from './account.js';
import { signedInAs } from './api.js';
import { hostPath, paintAvatar } from './avatar.js';
import { route } from './base.js';
import { formatCompact, formatDuration, lang, t, titleOf } from './i18n.js';
import { byId, query, setText, setVisible } from './ui.js';

/** @import { LiveClient, Shop, Stream } from './types.d.ts' */

export class ShowHeader {
  /**
   * @param {{ client: LiveClient, shop: Shop, stream: Stream, signIn: () => void }} options
   */
  constructor({ client, shop, stream, signIn }) {
    this.client = client;
    this.shop = shop;
    this.stream = stream;
    this.notice = byId('notice');
    const id = encodeURIComponent(stream.id);
    byId('calendar', HTMLAnchorElement).href = route(`/v1/streams/${id}/calendar.ics?lang=${lang}`);
    byId('after', HTMLAnchorElement).href = route(`/orders?from=${id}`);
    this.paintAccount = accountButton(byId('account', HTMLButtonElement), {
      name: () => client.you?.name ?? '',
      signIn,
    });
    this.notice.addEventListener('click', () => {
      const isExpanded = this.notice.getAttribute('aria-expanded') === 'true';
      this.notice.setAttribute('aria-expanded', String(!isExpanded));
    });
    client.on('state', (changed) => {
      if (changed.has('viewers')) setText(byId('viewers'), formatCompact(client.state.viewers));
      if (changed.has('chat')) this.paintNotice();
    });
  }

  /** @param {Stream} stream */
  update(stream) {
    this.stream = stream;
    const { status, host, scheduled_at } = stream;
    const badge = byId('live-badge');
    document.title = `${titleOf(stream)} · ${titleOf(this.shop)}`;
    setText(byId('title'), titleOf(stream));
    setText(byId('host'), host);
    const link = byId('host-link', HTMLAnchorElement);
    link.href = route(hostPath(host));
    link.title = t('show_header.all', { name: host });
    paintAvatar(byId('avatar'), host);
    setText(badge, t(`badge.${status}`));
    badge.dataset.status = status;
    setVisible(byId('coming'), status === 'scheduled');
    setVisible(byId('calendar'), Boolean(scheduled_at));
    setVisible(byId('after'), status === 'ended' && Boolean(signedInAs()));
    this.paintNotice();
  }

  paintNotice() {
    const { notice } = this.client.state.chat;
    setVisible(this.notice, Boolean(notice) && this.stream.status !== 'ended');
    setText(query('span', this.notice), notice ?? '');
  }

  /** @param {number} now */
  tick(now) {
    const { status, started_at } = this.stream;
    setText(byId('elapsed'), status === 'live' && started_at ? formatDuration(now - started_at) : '');
  }
}
