// The check of an e-mail address in a form. The server decides; this catches what is plainly none.

import { t } from '../i18n.js';

/** @param {string} text */
export const emailAddress = (text) => {
  if (!text) throw new Error(t('form.required'));
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text)) throw new Error(t('setup.email_wrong'));
  return text;
};

/** The same, but it may be left out. @param {string} text */
export const optionalEmailAddress = (text) => (text ? emailAddress(text) : '');
