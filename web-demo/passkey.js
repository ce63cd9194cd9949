// Passkeys: the browser asks the device of the reader, and the server checks the answer.

import { get, post, Problem } from './api.js';

/** @import { Identity, PasskeyChallenge } from './types.d.ts' */

const TIMEOUT_MS = 120_000;

/** Whether this browser can use passkeys on this page. */
export const hasPasskeys = () => Boolean(globalThis.PublicKeyCredential && navigator.credentials);

/** @param {string} text in base64url */
function bytes(text) {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
}

/** @param {ArrayBuffer} buffer */
function base64url(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** @param {string[]} ids */
const known = (ids) => ids.map((id) => ({ type: /** @type {const} */ ('public-key'), id: bytes(id) }));

/**
 * What the device answers. A reader who turns away, and a device that has no passkey for this shop, look the same here.
 * @template T
 * @param {() => Promise<T | null>} ask
 * @returns {Promise<T>}
 */
async function answer(ask) {
  try {
    const found = await ask();
    if (found) return found;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'InvalidStateError') throw new Problem('passkey_known');
  }
  throw new Problem('passkey_cancelled');
}

/**
 * Uses a passkey: it signs in, or proves the session of the reader.
 * @returns {Promise<Identity>}
 */
export async function usePasskey() {
  /** @type {PasskeyChallenge} */
  const { challenge, rp_id, credentials } = await post('/session/passkey/challenge');
  const publicKey = {
    challenge: bytes(challenge),
    rpId: rp_id,
    allowCredentials: known(credentials),
    userVerification: /** @type {const} */ ('required'),
    timeout: TIMEOUT_MS,
  };
  const used = /** @type {PublicKeyCredential} */ (await answer(() => navigator.credentials.get({ publicKey })));
  const response = /** @type {AuthenticatorAssertionResponse} */ (used.response);
  return post('/session/passkey', {
    credential: base64url(used.rawId),
    client_data: base64url(response.clientDataJSON),
    authenticator_data: base64url(response.authenticatorData),
    signature: base64url(response.signature),
  });
}

/**
 * Makes a passkey for the account of the reader.
 * @param {string} name what the reader calls it
 */
export async function makePasskey(name) {
  /** @type {Identity} */
  const me = await get('/session');
  /** @type {PasskeyChallenge} */
  const { challenge, rp_id, credentials, algorithms } = await post('/passkeys/challenge');
  const publicKey = {
    challenge: bytes(challenge),
    rp: { id: rp_id, name: rp_id },
    user: {
      id: new TextEncoder().encode(me.user ?? ''),
      name: me.email ?? me.name ?? rp_id,
      displayName: me.name ?? rp_id,
    },
    pubKeyCredParams: algorithms.map((alg) => ({ type: /** @type {const} */ ('public-key'), alg })),
    excludeCredentials: known(credentials),
    // On the device itself, so that it can sign in without a code, and with PIN or biometrics.
    authenticatorSelection: {
      residentKey: /** @type {const} */ ('required'),
      userVerification: /** @type {const} */ ('required'),
    },
    attestation: /** @type {const} */ ('none'),
    timeout: TIMEOUT_MS,
  };
  const made = /** @type {PublicKeyCredential} */ (await answer(() => navigator.credentials.create({ publicKey })));
  const response = /** @type {AuthenticatorAttestationResponse} */ (made.response);
  return post('/passkeys', {
    name,
    client_data: base64url(response.clientDataJSON),
    authenticator_data: base64url(response.getAuthenticatorData()),
  });
}
