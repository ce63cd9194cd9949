// The way to pay of a shop whose payment provider has a page of its own (a payment adapter): the button leads there, and the provider sends
// the buyer back.

import { load, t } from './i18n.js';
import { el } from './ui.js';

export { comeBack, goToBank } from './bank_page.js';
export { replaceAround } from './replace_around.js';

await load('card');

/** Says to the payment adapter that the buyer pays on the page of the provider. */
const PAGE_TOKEN = 'page';

export const makeForm = () => new HostedPage();

/** It stands where the card form of other shops is, and asks for nothing. */
class HostedPage {
  constructor() {
    this.way = 'page';
    this.root = el('p.fine', { 'data-test': 'hosted-page' }, t('payment.page.back'));
  }

  show() {}

  async check() {}

  async token() {
    return PAGE_TOKEN;
  }
}
