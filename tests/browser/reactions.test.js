// Which reactions rise: those that came since the last numbers, by kind.
//
// Run by Node: `node --test tests/browser/reactions.test.js`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countsOf, grownSince } from '../../web-demo/reaction_counts.js';

test('hearts_are_the_likes_that_are_no_emoji', () => {
  assert.deepEqual(countsOf(10, {}), { heart: 10, clap: 0, fire: 0, laugh: 0, wow: 0 });
  assert.deepEqual(countsOf(10, { fire: 3, wow: 1 }), { heart: 6, clap: 0, fire: 3, laugh: 0, wow: 1 });
  assert.equal(
    countsOf(10, { a_kind_of_tomorrow: 4 }).heart,
    10,
    'a kind that this page does not know rises as a heart',
  );
});

test('only_what_is_new_rises', () => {
  const before = countsOf(10, { fire: 3 });
  assert.deepEqual(grownSince(before, countsOf(13, { fire: 5 })), { heart: 1, clap: 0, fire: 2, laugh: 0, wow: 0 });
  const elsewhere = grownSince(before, countsOf(11, { fire: 0 }));
  assert.equal(elsewhere.fire, 0, 'another server begins again, and nothing falls');
});
