// Prices and quantities as people type them: every row of tests/corpus/numbers.tsv, in three languages and seven currencies.
//
// Run by Node: `node --test tests/browser/numbers.test.js`. It reads the files only and needs no server. That pages and
// browsers agree on what is stored is tested in tests/browser/money.rs.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { exampleNumber, parseNumber, writeAmount } from '../../web-demo/number_input.js';

const ROOT = new URL('../../', import.meta.url);
const LANGUAGES = ['en', 'ar', 'id'];
const CURRENCIES = ['SAR', 'IDR', 'HUF', 'USD', 'JPY', 'KWD', 'IQD'];
const read = (path) => readFileSync(new URL(path, ROOT), 'utf8');

/** The currencies of the server: code → decimals. */
const decimals = new Map();
for (const [, name, codes] of read('src/domain/currency.rs').matchAll(/^const (\w+): &str = "([A-Z\s\\]+)";/gm)) {
  const digits = { NONE: 0, TWO: 2, THREE: 3, FOUR: 4 }[name];
  for (const code of codes.match(/[A-Z]{3}/g)) decimals.set(code, digits);
}

const [head, ...rows] = read('tests/corpus/numbers.tsv')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'))
  .map((line) => line.split('\t'));
const cases = rows.flatMap(([typed, ...cells]) =>
  cells.map((expected, at) => ({
    typed: typed.replace(/\\u\{(\w+)\}/g, (_, code) => String.fromCodePoint(parseInt(code, 16))),
    language: head[at + 1].slice(0, 2),
    digits: Number(head[at + 1].slice(2)),
    expected,
  })),
);

const written = (parsed) =>
  'fault' in parsed ? (parsed.readings.length ? parsed.readings.join(' | ') : parsed.fault) : String(parsed.value);

test('every_typed_number_has_its_one_meaning_or_is_refused', () => {
  assert.ok(rows.length >= 60, `only ${rows.length} rows`);
  const wrong = [];
  for (const currency of CURRENCIES) {
    for (const { typed, language, digits, expected } of cases) {
      if (digits !== decimals.get(currency)) continue;
      const result = written(parseNumber(typed, language, digits));
      if (result !== expected) wrong.push(`${language} ${currency} ${typed}: ${result}, not ${expected}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('a_named_reading_is_accepted_when_it_is_typed', () => {
  let named = 0;
  for (const { typed, language, digits } of cases) {
    const parsed = parseNumber(typed, language, digits);
    for (const reading of parsed.readings ?? []) {
      named += 1;
      const again = parseNumber(reading, language, digits);
      const hasTooMany = 'fault' in again && reading.split(language === 'id' ? ',' : '.')[1]?.length > digits;
      assert.ok('value' in again || hasTooMany, `${language} ${digits} ${typed}: ${reading}`);
    }
  }
  assert.ok(named > 100, `only ${named} readings`);
});

test('a_price_in_a_field_reads_as_the_same_price', () => {
  for (const language of LANGUAGES) {
    for (const digits of [0, 2, 3, 4]) {
      assert.ok('value' in parseNumber(exampleNumber(language, digits), language, digits), `${language} ${digits}`);
      for (const minor of [1, 5, 50, 100, 999, 1000, 150000, 123456789, 100000000000]) {
        const text = writeAmount(minor, language, digits);
        assert.deepEqual(parseNumber(text, language, digits), { value: minor }, `${language} ${digits} ${text}`);
      }
    }
  }
});

test('decimals_agree_with_another_list_of_iso_4217', () => {
  const others = createRequire(new URL('scripts/web/package.json', ROOT))('currency-codes/data');
  const codes = new Map(others.map(({ code, digits }) => [code, digits]));
  const known = [...decimals].filter(([code]) => codes.has(code));
  assert.ok(known.length > 150, `only ${known.length} codes are in both lists`);
  for (const [code, digits] of known) assert.equal(digits, codes.get(code), code);
  // XCG has replaced ANG since that list was made; BGN ended with 2025. The rest are metals, funds and test codes.
  assert.deepEqual(
    [...decimals.keys()].filter((code) => !codes.has(code)),
    ['XCG'],
  );
  const missing = [...codes.keys()].filter((code) => !decimals.has(code) && !code.startsWith('X'));
  assert.deepEqual(
    missing.sort(),
    ['ANG', 'BGN', 'CUC', 'HRK', 'SLL', 'ZWL'].filter((code) => codes.has(code)),
  );
});

test('no_page_takes_decimals_from_the_browser', () => {
  const pages = readdirSync(new URL('web-demo/', ROOT), { recursive: true }).filter((name) => name.endsWith('.js'));
  assert.ok(pages.length > 50);
  for (const page of pages) {
    assert.doesNotMatch(
      read(`web-demo/${page}`),
      /resolvedOptions\(|parseFloat\(|style: 'currency'(?!, currency \}|,\n)/,
      page,
    );
  }
});
