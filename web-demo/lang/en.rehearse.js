// English: the texts of the rehearsal.

import { termsIn } from './team_terms.js';

const term = termsIn('en');

export default {
  rehearsal: term.rehearsal,
  'rehearsal.about':
    'Simulated viewers join, chat and buy in a separate room. Nobody else sees it, and your stock doesn’t change.',
  'rehearsal.viewers': 'Viewers (1 to 200)',
  'rehearsal.seconds': 'Seconds (24 to 90)',
  'rehearsal.start': 'Start rehearsal',
  'rehearsal.stop': 'Stop rehearsal',
  'rehearsal.time': 'Time',
  'rehearsal.connected': 'Connected',
  'rehearsal.messages': term.messages,
  'rehearsal.orders': 'Reservations',
  'rehearsal.delivery': 'Live updates reach 99 % of viewers within',
  'rehearsal.s': '{n} s',
  'rehearsal.ms': '{n} ms',
  'rehearsal.of': '{n} of {all}',
  'rehearsal.is_running': 'The rehearsal is running.',
  'rehearsal.is_passed':
    'Your show is ready. {viewers} simulated viewers watched at once, chatted and bought, and nothing went wrong.',
  'rehearsal.is_failed': 'Something went wrong. Don’t start the show before it is fixed; the reason is below.',
  'rehearsal.speed': 'Live updates reached them within {ms} ms.',
  'rehearsal.checked': 'What was checked',
  'rehearsal.is_stopped': 'The rehearsal was stopped.',
};
