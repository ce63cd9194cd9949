// The texts of the pages: every language has every text, one concept has one word, and every refusal has a sentence.
//
// Run by Node: `node --test tests/browser/texts.test.js`. It reads the files only and needs no server.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { termsIn } from '../../web-demo/lang/team_terms.js';

const ROOT = new URL('../../', import.meta.url);
const LANGUAGES = ['en', 'ar', 'id'];
const LOCALES = { en: 'en', ar: 'ar-SA', id: 'id' };
const PARTS = [
  '',
  '.buy',
  '.host',
  '.audit',
  '.shop',
  '.rehearse',
  '.player',
  '.desk',
  '.staff',
  '.products',
  '.pictures',
  '.show',
  '.imports',
  '.bulk',
  '.quick',
  '.bill',
  '.card',
  '.coupon',
  '.coupons',
  '.market',
  '.pages',
  '.follow',
  '.payments',
  '.stripe',
];

/** Language → key → text, of all parts. */
const texts = {};
/** Language → part → the texts of one file. */
const files = {};
for (const lang of LANGUAGES) {
  texts[lang] = {};
  files[lang] = {};
  for (const part of PARTS) {
    files[lang][part] = (await import(new URL(`web-demo/lang/${lang}${part}.js`, ROOT))).default;
    Object.assign(texts[lang], files[lang][part]);
  }
}

const forms = (text) => (typeof text === 'string' ? [text] : Object.values(text));
const read = (path) => readFileSync(new URL(path, ROOT), 'utf8');
const sources = readdirSync(new URL('web-demo/', ROOT), { recursive: true })
  .filter((name) => /\.(js|html)$/.test(name) && !name.startsWith('lang/'))
  .map((name) => [name, read(`web-demo/${name}`)]);

test('every_language_has_the_same_keys', () => {
  for (const part of PARTS) {
    for (const lang of LANGUAGES) {
      assert.deepEqual(Object.keys(files[lang][part]).sort(), Object.keys(files.en[part]).sort(), `${lang}${part}`);
    }
  }
});

test('each_key_stands_on_its_own_line', () => {
  for (const lang of LANGUAGES) {
    for (const part of PARTS) {
      const lines = read(`web-demo/lang/${lang}${part}.js`).split('\n');
      const keys = lines.filter((line) => /^ {2}('[\w.]+'|\w+):/.test(line));
      assert.equal(keys.length, Object.keys(files[lang][part]).length, `${lang}${part}`);
    }
  }
});

test('plural_texts_have_all_forms_of_their_language', () => {
  for (const lang of LANGUAGES) {
    const needed = new Intl.PluralRules(LOCALES[lang]).resolvedOptions().pluralCategories.toSorted();
    for (const [key, text] of Object.entries(texts[lang])) {
      if (typeof text === 'object') assert.deepEqual(Object.keys(text).sort(), needed, `${lang} ${key}`);
    }
  }
});

test('texts_of_one_key_have_the_same_placeholders', () => {
  // A plural form may spell out its number, and a language without plurals has one form.
  const placeholders = (text) => [...new Set(forms(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []))].sort();
  for (const key of Object.keys(texts.en)) {
    for (const lang of LANGUAGES) {
      assert.deepEqual(placeholders(texts[lang][key]), placeholders(texts.en[key]), `${lang} ${key}`);
    }
  }
});

test('every_text_is_used_and_every_used_text_exists', () => {
  const all = sources.map(([, source]) => source).join('\n');
  const literals = new Set([...all.matchAll(/['"`]([a-z_]+(?:\.\w+)*)['"`]/g)].map(([, key]) => key));
  const prefixes = [...all.matchAll(/`([a-z_]+\.(?:[\w]+[._])?[\w]*)\$\{[^}]*\}((?:[._]\w+)?)`/g)];
  const isUsed = (key) =>
    literals.has(key) ||
    prefixes.some(([, start, end]) => key.startsWith(start) && key.endsWith(end)) ||
    key.startsWith('error.');
  const unused = Object.keys(texts.en).filter((key) => !isUsed(key));
  assert.deepEqual(unused, []);
  for (const [name, source] of sources) {
    for (const [, key] of source.matchAll(/\bt\(\s*'([\w.]+)'/g)) assert.ok(key in texts.en, `${name} uses ${key}`);
    for (const [, key] of source.matchAll(/data-t(?:-label|-hint)?="([\w.]+)"/g)) {
      assert.ok(key in texts.en, `${name} uses ${key}`);
    }
  }
});

test('every_refusal_code_has_a_text_in_every_language', () => {
  // The table of refusals: code, HTTP status, meaning, text key.
  const table = read('src/domain/refusal_table.rs') + read('src/domain/error_code.rs');
  const codes = new Set([...table.matchAll(/"([a-z_]+)",\s*\d{3}\b/g)].map(([, code]) => code));
  assert.ok(codes.size > 40, `only ${codes.size} codes were found`);
  for (const code of codes) {
    for (const lang of LANGUAGES) assert.ok(`error.${code}` in texts[lang], `${lang} has no text for ${code}`);
  }
});

/** The keys that show a term alone, by term. Where a key is not listed here, its text may use the term in a sentence. */
const LABELS = {
  product: ['product'],
  variant: ['product.variant', 'form.variant'],
  on_sale: ['product_list.sale', 'phase.live'],
  reserved: ['status.held'],
  quantity: ['qty', 'form.quantity'],
  my_orders: ['my_orders', 'product_list.mine'],
  expired: ['status.expired'],
  cancelled: ['status.cancelled', 'history.cancelled', 'report.cancelled'],
  paid: ['status.paid', 'history.paid'],
  refunded: ['status.refunded', 'history.refunded', 'order.refunded', 'report.refunded'],
  required: ['form.required', 'address.missing'],
  show: ['show'],
  product_list: ['product_list'],
  lineup: ['lineup'],
  flash: ['flag.flash', 'host.kind_flash'],
  pinned: ['chart.pin', 'report.pins'],
  pin: ['host.pin'],
  unpin: ['host.unpin'],
  pause: ['host.pause'],
  paused: ['offer.paused_short', 'phase.paused'],
  resume: ['host.resume'],
  draft: ['phase.draft'],
  countdown: ['phase.soon'],
  all_reserved: ['offer.all_reserved_short', 'phase.sold_out_for_now'],
  sold_out: ['offer.sold_out', 'phase.sold_out'],
  ended: ['badge.ended', 'offer.ended_short', 'phase.ended'],
  stock: ['form.stock'],
  stock_alert: ['stock_alert.add'],
  orders: ['figure.orders', 'chart.orders'],
  sales: ['figure.sales', 'report.sales', 'report.offers'],
  viewers: ['figure.viewers', 'chart.viewers'],
  viewers_peak: ['report.viewers_peak'],
  messages: ['report.messages', 'rehearsal.messages'],
  likes: ['figure.likes', 'report.likes'],
  chat: ['chat'],
  slow_mode: ['rules.slow'],
  notice: [],
  review_queue: ['review_queue', 'rules.links_review'],
  audit_log: ['audit'],
  blocklist: ['blocklist'],
  muted: ['host.muted'],
  unmute: ['host.unmute'],
  ban: ['host.ban'],
  unban: ['host.unban'],
  host: ['role.host'],
  moderator: ['team.role_moderator'],
  producer: ['team.role_producer'],
  analyst: ['team.role_analyst'],
  team: ['team.title', 'role.producer', 'role.admin'],
  rehearsal: ['rehearsal'],
  report: ['report.title'],
  activity: ['activity.title'],
  share: ['share'],
  cancel: ['cancel'],
  close: ['close'],
  save: ['save'],
  try_again: ['try_again'],
  sign_in: ['sign_in.title', 'connection.again.4501'],
};

test('labels_are_the_terms', () => {
  for (const lang of LANGUAGES) {
    const terms = termsIn(lang);
    assert.deepEqual(Object.keys(LABELS), Object.keys(terms));
    for (const [term, keys] of Object.entries(LABELS)) {
      for (const key of keys) assert.equal(texts[lang][key], terms[term], `${lang} ${key}`);
    }
  }
});

/** The stem of each concept: a sentence that has it in English has it in the other languages too. */
const STEMS = [
  [/\bviewers?\b/i, /مشاهد/, /penonton/i],
  [/\bthis show\b|\bthe show\b|\bshows\b/i, /بث/, /siaran/i],
  [/\bline-up\b/i, /قائمة البث/, /susunan produk/i],
  [/\bflash sale\b/i, /عرض خاطف/, /flash sale/i],
  [/\breserv/i, /حجز|حجوز/, /reservasi/i],
  [/\bcountdown\b/i, /تنازلي/, /hitung mundur/i],
  [/\bdraft\b/i, /مسودة/, /draf/i],
  [/\breview queue\b/i, /قائمة المراجعة/, /antrean tinjauan/i],
  [/\bblocked words?\b/i, /محجوبة/, /kata terlarang/i],
  [/\b(un)?muted?\b/i, /كتم|كُتم|المكتومون|مكتوم/, /bisukan|bunyikan/i],
  [/\b(un)?bann?(ed)?\b/i, /حظر|حُظر|محظور/, /blokir/i],
  [/\bmoderator/i, /مشرف/, /moderator/i],
  [/\bproducer/i, /منسّق البيع/, /produser/i],
  [/\banalyst/i, /محلّل/, /analis/i],
  [/\brehearsal/i, /بروفة/, /gladi bersih/i],
  [/\bnotice\b/i, /إعلان/, /pengumuman/i],
  [/\binvites?\b/i, /دعو|ادعُ/, /undangan|undang/i],
  [/\bchat\b(?! again)/i, /دردشة/, /obrolan|mengobrol/i],
  [/\bvariants?\b/i, /نوع|أنواع/, /varian/i],
  [/\brefund(ed)?\b/i, /استرداد|استُرد|ردّ/, /dana/i],
];

test('one_concept_has_one_word_in_each_language', () => {
  const faults = [];
  const check = (lang, key, stem) => {
    for (const form of forms(texts[lang][key])) {
      if (!stem.test(form)) faults.push(`${lang} ${key} lacks ${stem}: ${form}`);
    }
  };
  for (const [key, text] of Object.entries(texts.en)) {
    for (const [en, ar, id] of STEMS) {
      if (!forms(text).some((form) => en.test(form))) continue;
      check('ar', key, ar);
      check('id', key, id);
    }
  }
  assert.deepEqual(faults, []);
});

/** Words that the pages used before, or that belong to another concept. */
const RETIRED = {
  en: [
    /\bbag\b/i,
    /\bcart\b/i,
    /run-?down/i,
    /\bhold\b/i,
    /\bheld\b/i,
    /\bmuted words\b/i,
    /\blet back in\b/i,
    /\bnobody hears\b/i,
    /\bpiece\b/i,
    /\btell me\b/i,
  ],
  ar: [/حقيبة/, /سلة/, /م\.ث/, /أخبرني/, /تسلسل/, /هذا العرض(?! موجود)/, /قطعة الأولى/],
  id: [/\btas\b/i, /\bkeranjang\b/i, /\bobral\b/i, /\bkabari\b/i, /\bsurel\b/i, /\bdaring\b/i, /\bditahan\b/i],
};

test('retired_words_do_not_return', () => {
  for (const lang of LANGUAGES) {
    for (const [key, text] of Object.entries(texts[lang])) {
      for (const word of RETIRED[lang]) {
        assert.ok(!forms(text).some((form) => word.test(form)), `${lang} ${key} has ${word}`);
      }
    }
  }
});

test('sentences_begin_with_a_capital_and_end_alike', () => {
  for (const [key, text] of Object.entries(texts.en)) {
    if (!key.startsWith('error.')) continue;
    for (const form of forms(text)) assert.match(form, /^[A-Z].*[.!]$/, key);
  }
  for (const key of Object.keys(texts.en)) {
    const endings = LANGUAGES.map(
      (lang) => /[.؟?!…:]$/.exec(forms(texts[lang][key]).at(-1))?.[0].replace('؟', '?') ?? '',
    );
    assert.equal(new Set(endings).size, 1, `${key} ends with ${endings.join(' ')}`);
  }
});
