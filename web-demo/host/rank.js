// What the role of the reader allows. The server decides; the console hides or disables what would be refused, and says why.

import { token } from '../api.js';

/** @import { Role } from '../types.d.ts' */

/** @type {Record<Role, number>} */
const RANK = { anonymous: 0, viewer: 1, moderator: 2, analyst: 2, producer: 3, host: 4, admin: 5, owner: 6 };

/**
 * A mute or a ban works only downwards.
 * @param {Role | undefined} role
 * @param {Role} other
 */
export const outranks = (role, other) => RANK[role ?? 'anonymous'] > RANK[other];

/**
 * The role and the only show of the token, as far as the page can read it.
 * @returns {{ role?: Role, stream?: string, name?: string }}
 */
function ownClaims() {
  try {
    const payload = (token.get() ?? '').split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

/** Products and stock pools belong to the whole shop: a helper of one show cannot change them. */
export const isTeamOfShop = () => !ownClaims().stream;

/**
 * Whether a show is the reader's own: the one that a helper was invited to, or one that runs under the reader's name.
 * @param {{ id: string, host: string }} show
 */
export function isOwnShow({ id, host }) {
  const { stream, name } = ownClaims();
  return stream ? id === stream : Boolean(name) && host === name;
}

/** Only the hosts of the whole shop create shows. */
export const canCreateShows = () => isTeamOfShop() && outranks(ownClaims().role ?? 'host', 'producer');
