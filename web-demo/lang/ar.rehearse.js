// العربية: the texts of the rehearsal.

import { termsIn } from './team_terms.js';

const term = termsIn('ar');

export default {
  rehearsal: term.rehearsal,
  'rehearsal.about':
    'مشاهدون افتراضيون ينضمون ويستخدمون الدردشة ويشترون في غرفة منفصلة. لا يراها أحد غيرك، ولا يتغير مخزونك.',
  'rehearsal.viewers': 'المشاهدون (من 1 إلى 200)',
  'rehearsal.seconds': 'الثواني (من 24 إلى 90)',
  'rehearsal.start': 'ابدأ البروفة',
  'rehearsal.stop': 'أوقف البروفة',
  'rehearsal.time': 'الوقت',
  'rehearsal.connected': 'المتصلون',
  'rehearsal.messages': term.messages,
  'rehearsal.orders': 'الحجوزات',
  'rehearsal.delivery': 'تصل التحديثات المباشرة إلى 99٪ من المشاهدين خلال',
  'rehearsal.s': '{n} ث',
  'rehearsal.ms': '{n} مللي ثانية',
  'rehearsal.of': '{n} من {all}',
  'rehearsal.is_running': 'البروفة جارية.',
  'rehearsal.is_passed':
    'بثك جاهز. جرّبه المشاهدون الافتراضيون ({viewers}) في الوقت نفسه: تحدّثوا واشتروا، ولم يحدث أي خطأ.',
  'rehearsal.is_failed': 'حدث خطأ ما. لا تبدأ البث قبل إصلاحه؛ السبب في الأسفل.',
  'rehearsal.speed': 'وصلتهم التحديثات المباشرة خلال {ms} مللي ثانية.',
  'rehearsal.checked': 'ما الذي فُحص',
  'rehearsal.is_stopped': 'أُوقفت البروفة.',
};
