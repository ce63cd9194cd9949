// The search in the browser finds by the rule of the server: every row of tests/corpus/search_words.json, which
// `domain::blocklist` and `domain::search_text` read too.
//
// Run by Node: `node --test tests/browser/search_text.test.js`. It reads the files only and needs no server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { finder, fold } from '../../web-demo/search_text.js';

const { folded, found } = JSON.parse(readFileSync(new URL('../corpus/search_words.json', import.meta.url), 'utf8'));

test('spellings_of_one_word_fold_as_on_the_server', () => {
  for (const [written, expected] of folded) assert.equal(fold(written), expected, JSON.stringify(written));
});

test('texts_are_found_as_on_the_server', () => {
  for (const [text, search, expected] of found) assert.equal(finder(search)(text), expected, `${search} in ${text}`);
});

test('letters_and_digits_of_every_script_fold_to_themselves_or_one_form', () => {
  // A form that folds to something which folds on would be found in one direction only.
  for (let code = 0x20; code < 0x3000; code += 1) {
    const text = String.fromCodePoint(code);
    assert.equal(fold(fold(text)), fold(text), `U+${code.toString(16)}`);
  }
});
