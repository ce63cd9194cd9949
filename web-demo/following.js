// The door to following by e-mail: its parts are loaded only by shops that send such mails.

import { get } from './api.js';

/** @import { Offer, Shop } from './types.d.ts' */
/** @import { Wanted } from './follow_part.js' */

/** Whether followers get mails: the shop has a mail server, and an address for the links. */
export async function canFollow() {
  /** @type {Shop} */
  const { emails, base_url } = await get('/shop');
  return emails && Boolean(base_url);
}

const load = async () => ((await canFollow()) ? import('./follow_part.js') : null);

/** What a reader can do to be notified by e-mail; null: this shop sends no such mails. @param {Wanted | null} product */
export const followPart = async (product = null) => (await load())?.followPart(product) ?? null;

/** The same in a sheet, where the shop sends such mails. @param {Wanted | null} product */
export const openFollowSheet = async (product = null) => (await load())?.openFollowSheet(product);

/** @param {HTMLElement} slot @param {Offer} offer */
export const fillSlot = async (slot, offer) => (await load())?.fillSlot(slot, offer);

/** @param {Offer} offer */
export const afterBell = async (offer) => (await load())?.afterBell(offer);

/** @param {import('./show_end.js').ShowEnd} end */
export const atEnd = async (end) => (await load())?.atEnd(end);
