// English: the end of a show.

export default {
  'end.title': 'The show has ended',
  'end.cancelled': 'The show was cancelled',
  'end.sorry': '{name} called it off. Nothing was charged for it.',
  'end.thanks': '{name} thanks you for watching.',
  'end.next': 'Next show',
  'end.live': 'Live now',
  'end.watch': 'Watch',
  'end.see': 'See the show',
  'end.products': 'Products of this show',
  'end.shop': 'All shows',
};
