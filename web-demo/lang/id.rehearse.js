// Bahasa Indonesia: the texts of the rehearsal.

import { termsIn } from './team_terms.js';

const term = termsIn('id');

export default {
  rehearsal: term.rehearsal,
  'rehearsal.about':
    'Penonton simulasi bergabung, mengobrol, dan membeli di ruang terpisah. Orang lain tidak melihatnya, dan stok Anda tidak berubah.',
  'rehearsal.viewers': 'Penonton (1 sampai 200)',
  'rehearsal.seconds': 'Detik (24 sampai 90)',
  'rehearsal.start': 'Mulai gladi bersih',
  'rehearsal.stop': 'Hentikan gladi bersih',
  'rehearsal.time': 'Waktu',
  'rehearsal.connected': 'Terhubung',
  'rehearsal.messages': term.messages,
  'rehearsal.orders': 'Reservasi',
  'rehearsal.delivery': 'Pembaruan langsung sampai ke 99% penonton dalam',
  'rehearsal.s': '{n} dtk',
  'rehearsal.ms': '{n} md',
  'rehearsal.of': '{n} dari {all}',
  'rehearsal.is_running': 'Gladi bersih sedang berjalan.',
  'rehearsal.is_passed':
    'Siaran Anda siap. {viewers} penonton simulasi menonton bersamaan, mengobrol, dan membeli tanpa masalah.',
  'rehearsal.is_failed': 'Ada yang bermasalah. Jangan mulai siaran sebelum diperbaiki; penyebabnya ada di bawah.',
  'rehearsal.speed': 'Pembaruan langsung sampai ke mereka dalam {ms} md.',
  'rehearsal.checked': 'Yang diperiksa',
  'rehearsal.is_stopped': 'Gladi bersih dihentikan.',
};
