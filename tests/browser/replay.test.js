// What a recording shows at a moment. Run by Node: `node --test tests/browser/replay.test.js`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chaptersOf, LINES_SHOWN, stateAt } from '../../web-demo/replay/state.js';

const BEGIN = 1_800_000_000_000;
const pin = (offer, from, until) => ({ offer, at: BEGIN + from, until: until === null ? null : BEGIN + until });
const said = (id, at) => ({ id, at: BEGIN + at, from: { id: 'ann', name: 'Ann', role: 'viewer' }, text: id });

test('state_follows_the_position_in_both_directions', () => {
  const log = {
    pins: [pin('lamp', 10_000, 20_000), pin('rug', 20_000, 30_000), pin('mug', 40_000, null)],
    messages: [said('a', 5_000), said('b', 15_000), { ...said('gone', 16_000), deleted: true }, said('c', 25_000)],
  };
  const rows = [
    [0, null, ''],
    [5_000, null, 'a'],
    [10_000, 'lamp', 'a'],
    [19_999, 'lamp', 'ab'],
    [20_000, 'rug', 'ab'],
    [30_000, null, 'abc'],
    [99_000, 'mug', 'abc'],
    [12_000, 'lamp', 'a'],
  ];
  for (const [at, offer, texts] of rows) {
    const state = stateAt(log, BEGIN + at);
    assert.deepEqual([state.offer, state.messages.map(({ text }) => text).join('')], [offer, texts], `${at}`);
  }
});

test('only_the_last_lines_of_a_moment_are_shown', () => {
  const messages = Array.from({ length: LINES_SHOWN + 5 }, (_, n) => said(String(n), n));
  assert.equal(stateAt({ pins: [], messages }, BEGIN + 60_000).messages[0].id, '5');
});

test('chapters_are_the_products_in_their_order_without_slips', () => {
  const pins = [
    pin('lamp', -5_000, 8_000),
    pin('lamp', 9_000, 20_000),
    pin('slip', 20_000, 21_000),
    pin('rug', 21_000, 60_000),
    pin('lamp', 60_000, null),
  ];
  assert.deepEqual(chaptersOf(pins, BEGIN), [
    { offer: 'lamp', at: 0 },
    { offer: 'rug', at: 21_000 },
    { offer: 'lamp', at: 60_000 },
  ]);
  assert.deepEqual(chaptersOf([], BEGIN), []);
});
