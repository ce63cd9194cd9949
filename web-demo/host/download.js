// Downloads of the host console: reports and exports.

import { Problem, token } from '../api.js';
import { route } from '../base.js';

const TIMEOUT_MS = 20_000;

/**
 * Fetches a file and gives it to the browser to save. A plain link cannot carry a token, nor say why it was refused.
 * @param {string} path below /v1
 * @param {string} name
 */
export async function download(path, name) {
  let answer;
  try {
    const own = token.get();
    /** @type {Record<string, string>} */
    const headers = own ? { authorization: `Bearer ${own}` } : {};
    answer = await fetch(route(`/v1${path}`), { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new Problem('network');
  }
  if (!answer.ok) throw new Problem((await answer.json().catch(() => null))?.code ?? 'unavailable');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
