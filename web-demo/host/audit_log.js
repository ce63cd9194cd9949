// The audit log: what the team did, newest first; and the exports of the chat and of the log.

import { asRefusal, get } from '../api.js';
import { formatDateTime, refusalText, t } from '../i18n.js';
import { fullTitle } from '../offer.js';
import { withBusy } from '../sheet.js';
import { el } from '../ui.js';
import { auditText } from './audit_text.js';
import { download } from './download.js';

/** @import { AuditEntry, Offer, Refusal, Stream } from '../types.d.ts' */

const EXPORTS = ['chat.csv', 'chat.jsonl', 'audit-log.csv', 'audit-log.jsonl'];

export class AuditLog {
  /**
   * @param {{
   *   stream: Stream,
   *   root: HTMLElement,
   *   offerOf: (id: string) => Offer | undefined,
   *   onrefused: (refusal: Refusal) => void,
   * }} options
   */
  constructor({ stream, root, offerOf, onrefused }) {
    this.path = `/streams/${stream.id}`;
    this.root = root;
    this.offerOf = offerOf;
    this.onrefused = onrefused;
  }

  async load() {
    this.root.replaceChildren(el('li.empty', {}, t('loading')));
    try {
      /** @type {{ items: AuditEntry[] }} */
      const { items } = await get(`${this.path}/audit-log?limit=100`);
      const rows = items.length ? items.map((entry) => this.entryRow(entry)) : [el('li.empty', {}, t('audit.none'))];
      this.root.replaceChildren(this.exportButtons(), ...rows);
    } catch (error) {
      this.root.replaceChildren(el('li', {}, el('p.alert', {}, refusalText(asRefusal(error)))));
    }
  }

  exportButtons() {
    return el(
      'li.row-actions',
      {},
      EXPORTS.map((file) => this.exportButton(file)),
    );
  }

  /** @param {string} file */
  exportButton(file) {
    const save = () => withBusy(button, () => download(`${this.path}/export/${file}`, file), this.onrefused);
    const props = { type: 'button', 'data-test': `export-${file}`, onclick: save };
    const button = el('button.slim', props, el('bdi', { dir: 'ltr' }, file));
    return button;
  }

  /** @param {AuditEntry} entry */
  entryRow(entry) {
    const { at, kind, text, reason, detail } = entry;
    const words = auditText(entry, (id) => {
      const offer = this.offerOf(id);
      return offer ? fullTitle(offer) : '';
    });
    const parcel = kind === 'sent' && detail ? ` · ${detail}` : '';
    return el(
      'li',
      { 'data-test': `audit-${kind}` },
      words,
      parcel,
      text && [' ', el('q', { dir: 'auto' }, text)],
      el('small', {}, formatDateTime(at), reason && ` · ${t('host.because', { reason })}`),
    );
  }
}
