// Who somebody is at a glance: the first letter of the name on a colour that comes from the name, the same everywhere.

import { hueOf, setText } from './ui.js';

/** @param {string} name */
export const initialOf = (name) => (/[\p{L}\p{N}][\p{M}]*/u.exec(name)?.[0] ?? '').toLocaleUpperCase();

/**
 * @param {HTMLElement} node
 * @param {string | null | undefined} name
 */
export function paintAvatar(node, name) {
  setText(node, initialOf(name ?? ''));
  node.style.setProperty('--hue', String(hueOf(name ?? '')));
}

/**
 * The page with the shows of a host.
 * @param {string} name
 */
export const hostPath = (name) => `/hosts/${encodeURIComponent(name)}`;
