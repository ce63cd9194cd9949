// The audit log of the shop: what the staff did, newest first, by kind and by person, and its export.

import { asRefusal, get } from '../api.js';
import { formatDateTime, refusalText, t, titleOf } from '../i18n.js';
import { auditText } from '../host/audit_text.js';
import { download } from '../host/download.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';

/** @import { AuditEntry, Refusal, StaffMember, Stream } from '../types.d.ts' */

const FILES = ['audit-log.csv', 'audit-log.jsonl'];
/** What people look for, by the words of the filter. @type {AuditEntry['kind'][]} */
const KINDS = [
  'refund',
  'read_address',
  'export_orders',
  'erase',
  'ban',
  'block_customer',
  'set_staff_role',
  'change_settings',
  'set_mail_server',
  'set_stripe_keys',
  'create_api_key',
];

export class AuditPage {
  /** @param {{ root: HTMLElement, shows: Stream[] }} options */
  constructor({ root, shows }) {
    this.root = root;
    this.shows = new Map(shows.map((show) => [show.id, show]));
    /** @type {string | null} */
    this.next = null;
    /** Counts the reloads: an answer for an earlier filter is ignored. */
    this.turn = 0;
    this.list = el('ul.desk-list', { 'data-test': 'audit-list' });
    this.status = el('p.empty', { 'data-test': 'audit-empty' });
    const more = { type: 'button', hidden: true, 'data-test': 'audit-more', onclick: () => this.readMore() };
    this.more = el('button', more, t('desk.more'));
    this.kind = filter('audit-kind', t('audit.kind'), () => this.reload());
    this.by = filter('audit-by', t('audit.by'), () => this.reload());
    this.kind.add(KINDS.map((kind) => [kind, t(`audit.is_${kind}`)]));
  }

  async start() {
    /** @type {{ members: StaffMember[] }} */
    const { members } = await get('/staff');
    const people = new Map(members.map(({ user, name }) => [user, name]));
    this.by.add([...people]);
    const exports = FILES.map((file) => exportButton(file));
    this.root.replaceChildren(
      el('div.filters.audit-filters', {}, this.kind.node, this.by.node, el('div.actions', {}, exports)),
      this.list,
      this.status,
      this.more,
    );
    await this.reload();
  }

  async reload() {
    this.turn++;
    this.next = null;
    this.list.replaceChildren();
    this.paint(t('loading'));
    try {
      await this.readPage();
    } catch (error) {
      this.paint(refusalText(asRefusal(error)));
    }
  }

  readMore() {
    const fail = (/** @type {Refusal} */ refusal) => toast(refusalText(refusal), { kind: 'warn' });
    return withBusy(this.more, () => this.readPage(), fail);
  }

  /** @returns {Promise<void>} */
  async readPage() {
    const turn = this.turn;
    const query = new URLSearchParams({ limit: '50' });
    if (this.kind.select.value) query.set('kind', this.kind.select.value);
    if (this.by.select.value) query.set('by_user', this.by.select.value);
    if (this.next) query.set('after', this.next);
    /** @type {{ items: AuditEntry[], next: string | null }} */
    const page = await get(`/shop/audit-log?${query}`);
    if (turn !== this.turn) return;
    this.next = page.next;
    // A page of a filter looks at a bounded number of entries and may find none of them.
    if (!page.items.length && page.next) return this.readPage();
    this.list.append(...page.items.map((entry) => this.row(entry)));
    this.paint(t('audit.none'));
  }

  /** @param {string} text of the empty list */
  paint(text) {
    setText(this.status, text);
    setVisible(this.status, this.list.childElementCount === 0);
    setVisible(this.more, this.next !== null);
  }

  /** @param {AuditEntry} entry */
  row(entry) {
    const { at, kind, stream, reason } = entry;
    const show = this.shows.get(stream);
    const about = [
      formatDateTime(at),
      ...(show ? [' · ', el('bdi', {}, titleOf(show))] : []),
      ...(reason ? [' · ', t('host.because', { reason })] : []),
    ];
    const words = auditText(entry, () => '');
    return el('li.audit-row', { 'data-test': `audit-${kind}` }, el('span.row-text', {}, words, el('small', {}, about)));
  }
}

/**
 * A choice that begins with "all".
 * @param {string} test
 * @param {string} label
 * @param {() => void} onchange
 */
function filter(test, label, onchange) {
  const select = el('select', { id: test, 'data-test': test, onchange }, el('option', { value: '' }, t('audit.all')));
  const node = el('div.field', {}, el('label', { for: test }, label), select);
  /** @param {[value: string, text: string][]} options */
  const add = (options) => select.append(...options.map(([value, text]) => el('option', { value }, text)));
  return { node, select, add };
}

/** @param {string} file */
function exportButton(file) {
  const fail = (/** @type {Refusal} */ refusal) => toast(refusalText(refusal), { kind: 'warn' });
  const save = () => withBusy(button, () => download(`/shop/audit-log/${file}`, file), fail);
  const props = { type: 'button', 'data-test': `export-${file}`, onclick: save };
  const button = el('button.slim', props, el('bdi', { dir: 'ltr' }, file));
  return button;
}
