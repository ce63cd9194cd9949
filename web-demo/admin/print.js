// Pages for paper: packing slip, order confirmation, pick lists. They are shown only in print.

import { byId } from '../ui.js';

/** @import { Child } from '../types.d.ts' */

/**
 * Opens the print dialog of the browser with this page.
 * @param {...Child} content
 */
export function printPage(...content) {
  const nodes = content.filter((node) => node instanceof Node || typeof node === 'string');
  byId('slip').replaceChildren(...nodes);
  window.print();
}
