// Uploading a picture: progress, cancelling, and another try while the server is busy. `fetch` does not say how much was sent, so this
// is an XMLHttpRequest.

import { Problem, token } from './api.js';
import { route } from './base.js';

const BYTES_MAX = 15_000_000;
/** Longer than the server waits for a file. */
const TIMEOUT_MS = 200_000;
const TRIES = 6;
const NETWORK_TRIES = 2;
const RETRY_MS = 2_000;

/** @typedef {{ address: string, width: number, height: number, bytes: number }} UploadedPicture */

/**
 * Uploads a file. Throws a Problem when it is refused or the network fails, and the reason of the signal when it was cancelled.
 * @param {Blob} file
 * @param {{ onprogress: (part: number) => void, signal: AbortSignal }} options `part` is 0 to 1
 * @returns {Promise<UploadedPicture>}
 */
export async function uploadPicture(file, { onprogress, signal }) {
  if (file.size > BYTES_MAX) throw new Problem('picture_too_large');
  for (let tried = 1; ; tried += 1) {
    try {
      return /** @type {UploadedPicture} */ (await sendFile('/v1/pictures', file, { onprogress, signal }));
    } catch (error) {
      // A server that is busy may close the connection before the whole file was sent. The same file is the same picture, so it may be
      // sent again.
      const mayRepeat = error instanceof Problem && ['busy', 'network'].includes(error.code);
      if (!mayRepeat || signal.aborted || tried === (error.code === 'busy' ? TRIES : NETWORK_TRIES)) throw error;
      const pause = (error.retry_ms ?? RETRY_MS) * (1 + Math.random());
      await new Promise((done) => setTimeout(done, pause));
      signal.throwIfAborted();
    }
  }
}

/**
 * Sends a file once. Throws a Problem when it is refused or the network fails, and the reason of the signal when it was cancelled.
 * @param {string} path of the route, with its query
 * @param {Blob} file
 * @param {{ onprogress: (part: number) => void, signal: AbortSignal, timeout?: number }} options `part` is 0 to 1
 * @returns {Promise<unknown>} what the server answered
 */
export function sendFile(path, file, { onprogress, signal, timeout = TIMEOUT_MS }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', route(path));
    request.timeout = timeout;
    request.setRequestHeader('accept', 'application/json');
    request.setRequestHeader('content-type', file.type || 'application/octet-stream');
    const own = token.get();
    if (own) request.setRequestHeader('authorization', `Bearer ${own}`);
    request.upload.addEventListener('progress', ({ loaded, total }) => onprogress(total ? loaded / total : 0));
    const abort = () => request.abort();
    signal.addEventListener('abort', abort);
    request.addEventListener('loadend', () => {
      signal.removeEventListener('abort', abort);
      if (signal.aborted) return reject(signal.reason);
      const answer = readJson(request.responseText);
      if (request.status >= 200 && request.status < 300 && answer) return resolve(answer);
      if (!request.status) return reject(new Problem('network'));
      reject(new Problem(answer?.code ?? (request.status >= 500 ? 'unavailable' : 'bad_request'), answer ?? {}));
    });
    request.send(file);
  });
}

/** @param {string} text */
function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
