// English: what every page and the viewer's page need. Keys are grouped by the place where they are read.

export default {
  // everywhere
  home: 'All shows', close: 'Close', cancel: 'Cancel', language: 'Language', viewers: 'viewers', stage: 'The show',
  save: 'Save', loading: 'Loading…',

  // viewer: bars and stage
  'badge.live': 'Live', 'badge.scheduled': 'Soon', 'badge.ended': 'Ended',
  'stage.live': 'On air', 'stage.starts': 'Starts {at}', 'stage.soon': 'Starts soon', 'stage.ended': 'The show has ended. Thank you for coming!',
  'video.open': 'Open the video', share: 'Share',
  'sound.on': 'Turn the sound on', 'sound.off': 'Turn the sound off', heart: 'Send a heart', send: 'Send',
  'conn.connecting': 'Connecting…', 'conn.reconnecting': 'Connection lost. Reconnecting…', 'conn.catching_up': 'Catching up…', 'conn.live': 'You are live again',
  'conn.delayed': 'Chat is paused for a moment and numbers may be late. Buying works.',
  'conn.closed.4501': 'Your sign-in has ended.', 'conn.closed.4502': 'You were removed from this show.', 'conn.closed.4509': 'This show is now open in another window.',
  'conn.closed.other': 'The connection was closed.', 'conn.again.4501': 'Sign in', 'conn.again.4509': 'Watch here', 'conn.again.4500': 'Reload',

  // viewer: chat
  chat: 'Chat', 'chat.hint': 'Say something…', 'chat.new': { one: '{n} new message', other: '{n} new messages' }, 'chat.gap': 'Some messages were missed',
  'chat.removed': 'Message removed', 'chat.sign_in': 'Sign in to chat', 'chat.sign_in_elsewhere': 'Sign in at the shop to chat', 'chat.ended': 'The show has ended',
  'chat.muted': 'You are muted', 'chat.muted_until': 'You are muted until {at}', 'chat.off': 'Chat is closed for you',
  'chat.unsure': 'It is not certain that your message arrived. It is still in the field.',
  'role.host': 'Host', 'role.moderator': 'Mod', 'role.producer': 'Team', 'role.admin': 'Team',
  'note.purchased': '{name} bought {offer}', 'note.purchased_many': '{name} bought {n} × {offer}', 'note.pinned': 'Now showing: {offer}',
  'note.sale_opened': 'On sale now: {offer}', 'note.sale_closed': 'Sale ended: {offer}', 'note.announced': 'Notice: {text}',
  'note.muted': '{name} was muted', 'note.banned': '{name} was removed', 'note.started': 'The show has started', 'note.ended': 'The show has ended',

  // viewer: offers
  pinned: 'Showing now', bag: 'Bag',
  buy: 'Buy',
  'offer.left': { one: '{n} left', other: '{n} left' }, 'offer.low': { one: 'Only {n} left', other: 'Only {n} left' },
  'offer.units': { one: '{n} unit', other: '{n} units' }, 'offer.paused': 'Paused for a moment', 'offer.paused_short': 'Paused',
  'offer.all_held': 'All held, some may return', 'offer.held_short': 'All held', 'offer.sold_out': 'Sold out', 'offer.ended': 'The sale has ended', 'offer.ended_short': 'Ended',
  'offer.soon': 'Soon', 'offer.before': 'before: ', 'flag.soon': 'Starts in', 'flag.flash': 'Flash sale',

  // waiting, reminders, one's own orders
  captions: 'Captions', 'remind.me': 'Remind me', 'remind.on': 'We will tell you', 'remind.calendar': 'Add to calendar', 'orders.mine': 'My orders', 'wait.join': 'Tell me', 'wait.on': 'Waiting',
  'wait.people': { one: '{n} waiting', other: '{n} waiting' },

  'signin.title': 'Sign in', 'say.sold_out': 'Sold out: {offer}',

  // refusals; what only a buyer or talker meets is in the .buy file
  'error.unknown': 'That did not work. Please try again.', 'error.network': 'The shop cannot be reached.',
  'error.unavailable': 'The shop cannot answer right now.',
  'error.sign_in': 'Please sign in.',
  'error.token_expired': 'Your sign-in has ended. You can go on watching.',
  'problem.title': 'Nothing to see here', 'problem.no_stream': 'This show does not exist, or not any more.', 'problem.away': 'The shop cannot be reached.', 'problem.again': 'Try again',

  // moderation, as the one moderated reads it
  'chat.held': 'Waiting for review', 'chat.hidden': 'Your message was not shown', 'chat.pinned': 'Pinned comment', 'chat.team_only': 'Chat is off for now', 'chat.muted_why': 'You are muted: {reason}',
  'told.delete': 'Your message was removed: {reason}', 'told.hide': 'Your message was not shown: {reason}', 'told.mute': 'You were muted: {reason}', 'told.unmute': 'You may write again: {reason}', 'told.ban': 'You were removed: {reason}', 'told.unban': 'You may come back: {reason}',
  'error.chat_off': 'Only the team may write now.', 'error.word_refused': 'A word in it is not wanted here.', 'error.link_refused': 'Links are not wanted here.', 'error.too_long': 'At most 200 characters, please.', 'error.token_invalid': 'Your sign-in does not hold. Sign in again.', 'error.flood': 'That is too much of one sign.', 'error.repeated': 'You just said that.', 'error.queue_full': 'Too many messages are waiting for review. Try again in a moment.',
};
