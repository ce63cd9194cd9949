// What the chat says about an event of the show.

import { t } from './i18n.js';
import { fullTitle } from './offer.js';

/** @import { ChatEvent, LiveEvent, Offer } from './types.d.ts' */

/**
 * The text, or nothing where the reader needs none.
 * @param {Exclude<LiveEvent, ChatEvent>} event
 * @param {(id: string) => Offer | undefined} offerOf
 * @param {boolean} isTeam only the team sees who was muted or banned
 */
export function eventText(event, offerOf, isTeam) {
  const about = 'offer' in event ? offerOf(event.offer) : undefined;
  const offer = about && fullTitle(about);
  switch (event.type) {
    case 'purchased': {
      const { qty } = event;
      const name = event.name || t('event.someone');
      return offer && t(qty > 1 ? 'event.purchased_many' : 'event.purchased', { name, n: qty, offer });
    }
    case 'pinned':
    case 'sale_opened':
      return offer && t(`event.${event.type}`, { offer });
    case 'sale_closed':
      return about?.kind === 'flash' && t('event.sale_closed', { offer });
    case 'announced':
      return event.text && t('event.announced', { text: event.text });
    case 'muted':
    case 'banned':
      return isTeam && t(`event.${event.type}`, { name: event.name });
    case 'started':
    case 'ended':
      return t(`event.${event.type}`);
    default:
      return null;
  }
}
