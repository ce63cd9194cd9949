// Bahasa Indonesia: the texts of the rehearsal.

import { termsIn } from './terms.js';

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
  'rehearsal.is_passed': 'Gladi bersih berhasil. Semua pemeriksaan lulus.',
  'rehearsal.is_failed': 'Gladi bersih gagal.',
  'rehearsal.is_stopped': 'Gladi bersih dihentikan.',
};
