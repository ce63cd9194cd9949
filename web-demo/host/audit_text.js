// The words of an entry of the audit log, in the language of the reader. What the server records as details is for machines.

import { hasText, locale, t } from '../i18n.js';
import { timeSpan } from '../time_span.js';

/** @import { AuditEntry } from '../types.d.ts' */

/** @param {string} text such as `60 s` */
const spanOf = (text) => timeSpan(locale, parseInt(text, 10) || 0);

/**
 * What the details say, as values of a text.
 * @type {Partial<Record<AuditEntry['kind'], (detail: string) => Record<string, string | number>>>}
 */
const DETAILS = {
  mute: (detail) => ({ time: spanOf(detail) }),
  extend: (detail) => ({ time: spanOf(detail) }),
  restock: (detail) => ({ n: parseInt(detail, 10) || 0 }),
  blocklist: (detail) => ({ n: parseInt(detail, 10) || 0 }),
  rules: (detail) => ({ rules: rulesText(detail) }),
  announce: (detail) => ({ text: detail }),
  import_products: (detail) => ({ detail }),
  undo_import: (detail) => ({ detail }),
  bulk_edit: (detail) => ({ n: parseInt(detail, 10) || 0 }),
  stock_take: (detail) => ({ n: parseInt(detail, 10) || 0 }),
  close_dispute: (detail) => ({ result: hasText(`audit.dispute_${detail}`) ? t(`audit.dispute_${detail}`) : detail }),
  undo_fulfilment: (detail) => ({ step: hasText(`audit.step_${detail}`) ? t(`audit.step_${detail}`) : detail }),
};

/**
 * @param {AuditEntry} entry
 * @param {(id: string) => string} offerName the name of an offer; empty if it is not known
 */
export function auditText({ kind, by, name, user, subject, detail }, offerName) {
  const values = {
    by: by?.name || by?.id,
    name: name || user || t('event.someone'),
    offer: (subject && offerName(subject)) || t('audit.an_offer'),
    action: kind,
  };
  const read = detail ? DETAILS[kind] : undefined;
  const hasOwn = kind === 'undo_import' || kind === 'set_pay_later';
  const special = [hasOwn && `audit.${kind}_${detail}`, detail && `audit.${kind}_of`];
  const key = special.find((one) => one && hasText(one)) || `audit.${kind}`;
  return t(hasText(key) ? key : 'audit.other', { ...values, ...read?.(detail ?? '') });
}

/** @param {string} detail such as `slow_s 10, links review, off false` */
function rulesText(detail) {
  const rules = detail.split(', ').map((rule) => {
    const [name, value = ''] = rule.split(' ');
    const key = `audit.rule_${name}_${value}`;
    if (name === 'slow_s' && value !== '0') return t('audit.rule_slow', { time: spanOf(value) });
    return hasText(key) ? t(key) : rule;
  });
  return new Intl.ListFormat(locale, { type: 'conjunction' }).format(rules);
}
