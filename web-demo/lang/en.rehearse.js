// English: the texts of the rehearsal.

import { termsIn } from './terms.js';

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
  'rehearsal.is_passed': 'The rehearsal passed. All checks succeeded.',
  'rehearsal.is_failed': 'The rehearsal failed.',
  'rehearsal.is_stopped': 'The rehearsal was stopped.',
};
