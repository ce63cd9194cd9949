// Time spans in words, in three languages. Run by Node: `node --test tests/browser/time_span.test.js`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { timeSpan } from '../../web-demo/time_span.js';

test('time_spans_are_exact_to_the_second', () => {
  const rows = [
    ['en', 14, '14 seconds'],
    ['en', 60, '1 minute'],
    ['en', 90, '1 minute and 30 seconds'],
    ['en', 3600, '60 minutes'],
    ['id', 90, '1 menit dan 30 detik'],
    ['ar-SA-u-ca-gregory-nu-latn', 14, '14 ثانية'],
    ['ar-SA-u-ca-gregory-nu-latn', 300, '5 دقائق'],
    ['ar-SA-u-ca-gregory-nu-latn', 130, 'دقيقتان و10 ثوانٍ'],
  ];
  for (const [locale, seconds, words] of rows) assert.equal(timeSpan(locale, seconds), words);
});
