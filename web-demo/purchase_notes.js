// Notes about purchases in the chat. Those of one offer within twenty seconds share a note, so that a sale does not drown the talk.

import { eventText } from './event_text.js';
import { t } from './i18n.js';
import { fullTitle } from './offer.js';
import { el, setText } from './ui.js';

/** @import { LiveEvent, Offer } from './types.d.ts' */
/** @typedef {Extract<LiveEvent, { type: 'purchased' }>} Purchase */

const SHARED_MS = 20_000;
/** As the server shortens names: several people may have the same. */
const INITIALS = /^\S{1,3}\.( \S{1,3}\.)?$/;

/** The last note of an offer. @typedef {{ line: HTMLElement, since: number, count: number, names: Set<string> }} Note */

export class PurchaseNotes {
  /** @param {(id: string) => Offer | undefined} offerOf */
  constructor(offerOf) {
    this.offerOf = offerOf;
    /** Offer → its last note; a show has few offers. @type {Map<string, Note>} */
    this.notes = new Map();
  }

  clear() {
    this.notes.clear();
  }

  /**
   * A new line, or null: the purchase was added to the note that its offer has already.
   * @param {Purchase} event
   */
  add(event) {
    const note = this.notes.get(event.offer);
    if (note && event.at - note.since < SHARED_MS) {
      note.count++;
      note.names.add(event.name);
      setText(note.line, this.sharedText(event, note));
      return null;
    }
    const text = eventText(event, this.offerOf, false);
    if (!text) return null;
    const line = el('li.note.purchased', { 'data-test': 'note-purchased' }, text);
    this.notes.set(event.offer, { line, since: event.at, count: 1, names: new Set([event.name]) });
    return line;
  }

  /**
   * Two purchases of one name may be those of one person, so people are counted by their names. A shop may hide the names, or shorten
   * them to initials.
   * @param {Purchase} event
   * @param {Note} note
   */
  sharedText(event, { count, names }) {
    const about = this.offerOf(event.offer);
    const offer = about && fullTitle(about);
    const people = names.size;
    const areWhole = ![...names].some((name) => name === '' || INITIALS.test(name));
    if (people > 1 && areWhole) return t('event.purchased_by', { n: people, offer });
    return t('event.purchases', { n: count, offer });
  }
}
