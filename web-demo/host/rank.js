// What the role of the reader allows. The server decides; the console hides or disables what would be refused, and says why.

import { token } from '../api.js';

/** @import { Role } from '../types.d.ts' */

/** @type {Record<Role, number>} */
const RANK = { anonymous: 0, viewer: 1, moderator: 2, analyst: 2, producer: 3, host: 4, admin: 5 };

/**
 * A mute or a ban works only downwards.
 * @param {Role | undefined} role
 * @param {Role} other
 */
export const outranks = (role, other) => RANK[role ?? 'anonymous'] > RANK[other];

/**
 * The role and the only show of the token, as far as the page can read it.
 * @returns {{ role?: Role, stream?: string }}
 */
function ownClaims() {
  try {
    const payload = (token.get() ?? '').split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(payload));
  } catch {
    return {};
  }
}

/** Products and stock pools belong to the whole shop: a helper of one show cannot change them. */
export const isTeamOfShop = () => !ownClaims().stream;

/** Only the hosts of the whole shop create shows. */
export const canCreateShows = () => isTeamOfShop() && outranks(ownClaims().role ?? 'host', 'producer');
