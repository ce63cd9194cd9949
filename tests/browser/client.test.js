// The reference client against a scripted server, frame by frame. Runs in a browser page of tests/browser/client.rs.

import { ChatList } from '/chat_list.js';
import { compareVersions, newKey, retryDelay, shouldReconnect } from '/client.js';
import { assert, clock, end, ev, hello, last, make, test, wait } from '/client_fixture.js';

test('address_of_the_server_may_have_a_path', () => {
  for (const base of ['http://x/live', 'http://x/live/']) {
    const c = make({ base });
    assert.equal(last().url.pathname, '/live/v1/streams/s1/live');
    end(c);
  }
  const c = make();
  assert.equal(last().url.pathname, '/v1/streams/s1/live');
  end(c);
});
test('receipts_are_sent_only_when_the_server_asks', async () => {
  const state = { pin: { offer: 'o1', v: [1, 1] }, offers: {}, viewers: 1, likes: 0, chat: {} };
  const seen = () =>
    last()
      .out.filter((frame) => frame.do === 'seen')
      .map((frame) => frame.offer);
  const unasked = make();
  last().say(hello({ state }));
  await wait(100);
  assert.deepEqual(seen(), []);
  end(unasked);
  const asked = make();
  last().say(hello({ state, receipts: true }));
  last().say({ t: 'tick', seq: 5, state: { pin: { offer: 'o2', v: [1, 2] } } });
  last().say({ t: 'tick', seq: 5, state: { likes: 3 } });
  await wait(100);
  assert.deepEqual(seen(), ['o1', 'o2']);
  end(asked);
});
test('token_is_offered_as_a_subprotocol_and_is_not_in_the_address', () => {
  const c = make({ token: 'a.b.c' });
  assert.deepEqual(last().protocols, ['livesouk.v1', 'token.a.b.c']);
  assert.equal(last().url.searchParams.has('token'), false);
  end(c);
  const anonymous = make();
  assert.deepEqual(last().protocols, ['livesouk.v1']);
  end(anonymous);
});
test('versions_are_compared_as_tuples', () => {
  assert.equal(compareVersions([2, 1], [1, 9]), 1);
  assert.equal(compareVersions([1, 2], [1, 10]), -1);
  assert.equal(compareVersions([1, 2], [1, 2]), 0);
  assert.equal(compareVersions([1, 1], undefined), 1);
});
test('retry_delay_grows_to_a_ceiling', () => {
  assert.equal(
    retryDelay(0, () => 1),
    500,
  );
  assert.equal(
    retryDelay(3, () => 1),
    4000,
  );
  assert.equal(
    retryDelay(50, () => 1),
    20000,
  );
  assert.equal(
    retryDelay(5, () => 0),
    0,
  );
});
test('close_codes_decide_whether_to_reconnect', () => {
  for (const c of [1006, 1001, 1012, 1013, 4000, 4013, 4499]) assert.ok(shouldReconnect(c));
  for (const c of [1000, 1002, 1003, 1007, 1009, 4501, 4502, 4509, 4999]) assert.ok(!shouldReconnect(c));
});
test('idempotency_keys_are_long_and_unique', () => {
  assert.match(newKey(), /^[0-9a-f]{32}$/);
  assert.notEqual(newKey(), newKey());
});
test('events_are_delivered_once_and_in_order', () => {
  const c = make();
  last().say(hello({ events: [ev(3), ev(5)] }));
  last().say({ t: 'tick', seq: 7, events: [ev(6), ev(7)] });
  last().say({ t: 'tick', seq: 7, events: [ev(6), ev(7)] });
  last().say({ t: 'tick', seq: 8, events: [ev(7), ev(8)] });
  assert.deepEqual(c.log, ['3r', '5r', 6, 7, 8]);
  assert.equal(c.seq, 8);
  end(c);
});
test('hole_reconnects_with_own_position_and_applies_nothing', async () => {
  const c = make();
  last().say(hello());
  last().say({ t: 'tick', seq: 8, events: [ev(7), ev(8)], state: { viewers: 9 } });
  assert.deepEqual(c.log, []);
  assert.equal(c.state.viewers, 1);
  assert.equal(c.status, 'reconnecting');
  await wait(5);
  assert.equal(last().url.searchParams.get('seq'), '5');
  assert.equal(last().url.searchParams.get('epoch'), 'e1');
  last().say(hello({ seq: 8, recovered: true, events: [ev(6), ev(7), ev(8)] }));
  assert.deepEqual(c.log, ['6r', '7r', '8r']);
  assert.equal(c.gaps, 0);
  assert.equal(c.status, 'live');
  end(c);
});
test('hole_inside_a_tick_is_detected', () => {
  const c = make();
  last().say(hello());
  last().say({ t: 'tick', seq: 8, events: [ev(6), ev(8)] });
  assert.deepEqual(c.log, []);
  end(c);
});
test('unrecovered_reconnect_emits_gap_and_the_remaining_chat', async () => {
  const c = make();
  const order = [];
  c.on('gap', ({ why }) => order.push(why));
  c.on('event', (e) => order.push(e.seq));
  last().say(hello({ events: [ev(3), ev(4), ev(5)] }));
  last().drop();
  await wait(5);
  // Message 4 was deleted meanwhile, and the event that said so is lost.
  last().say(hello({ seq: 40, events: [ev(3), ev(5), ev(39), ev(40)] }));
  assert.deepEqual(order, [3, 4, 5, 'away', 3, 5, 39, 40]);
  last().say({ t: 'tick', seq: 41, events: [ev(40), ev(41)] });
  last().drop();
  await wait(5);
  last().say(hello({ seq: 42, recovered: true, events: [ev(41), ev(42)] }));
  assert.deepEqual(order.slice(8), [41, 42]);
  assert.equal(c.gaps, 1);
  end(c);
});
test('new_epoch_delivers_the_remaining_chat_again', async () => {
  const c = make();
  last().say(hello({ events: [ev(5)] }));
  last().say({
    t: 'snapshot',
    why: 'epoch',
    epoch: 'e2',
    seq: 1,
    recovered: false,
    events: [ev(0, { id: 'm5' }), ev(0, { id: 'old' }), ev(1, { id: 'new' })],
  });
  assert.deepEqual(c.log, ['5r', '0r', '0r', '1r']);
  assert.equal(c.gaps, 1);
  last().say({ t: 'tick', seq: 2, events: [ev(2, { id: 'n2' })] });
  assert.equal(c.seq, 2);
  end(c);
});
test('position_of_a_node_that_is_behind_is_taken_and_hides_nothing', async () => {
  const c = make();
  last().say(hello({ seq: 9, events: [ev(9)] }));
  last().drop();
  await wait(5);
  // This node has not seen 7 to 9 yet, and cannot continue from 9.
  last().say(hello({ seq: 6, events: [ev(5), ev(6)] }));
  assert.equal(c.seq, 6);
  last().say({ t: 'tick', seq: 8, events: [ev(7), ev(8)] });
  last().say({ t: 'tick', seq: 9, events: [ev(9)] });
  assert.deepEqual(c.log, ['9r', '5r', '6r', 7, 8, 9]);
  last().say({ t: 'snapshot', why: 'slow', epoch: 'e1', seq: 8, recovered: false, events: [ev(8)], state: {} });
  last().say({ t: 'tick', seq: 9, events: [ev(9)] });
  assert.deepEqual(c.log.slice(6), ['8r', 9]);
  end(c);
});
test('successor_that_is_behind_repeats_nothing', async () => {
  const c = make();
  last().say(hello());
  const old = last();
  old.say({ t: 'moving', retry_ms: 1 });
  await wait(5);
  old.say({ t: 'tick', seq: 7, events: [ev(6), ev(7)] });
  last().say(hello({ seq: 6, recovered: true, events: [ev(6)] }));
  last().say({ t: 'tick', seq: 8, events: [ev(7), ev(8)] });
  assert.deepEqual(c.log, [6, 7, 8]);
  assert.equal(c.gaps, 0);
  end(c);
});
test('tick_whose_position_is_ahead_of_its_events_is_a_hole', async () => {
  const c = make();
  last().say(hello());
  last().say({ t: 'tick', seq: 7, state: { viewers: 9 } });
  assert.equal(c.status, 'reconnecting');
  assert.equal(c.seq, 5);
  end(c);
});
test('snapshot_updates_the_show', () => {
  const c = make();
  const shown = [];
  c.on('show', (show) => shown.push(show.status));
  last().say(hello());
  last().say({
    t: 'snapshot',
    why: 'hole',
    epoch: 'e1',
    seq: 9,
    recovered: false,
    stream: { id: 's1', status: 'ended' },
    events: [],
    state: { pin: null, offers: {} },
  });
  assert.deepEqual(shown, ['live', 'ended']);
  assert.equal(c.show.status, 'ended');
  end(c);
});
test('gap_clears_the_chat_list_and_deleted_messages_stay_deleted', () => {
  const [list, pill] = [document.createElement('ul'), document.createElement('button')];
  document.body.append(list, pill);
  const chat = new ChatList({ list, pill, offerOf: () => null });
  const message = (id, text) => ({ type: 'chat', id, from: { id: 'u', name: 'Ann', role: 'viewer' }, text });
  const shown = () => [...list.querySelectorAll('.text')].map((node) => node.textContent);
  chat.add(message('1', 'rude'));
  chat.add(message('2', 'fine'));
  chat.flush();
  chat.add(message('3', 'not painted yet'));
  chat.clearAfterGap();
  chat.add(message('2', 'fine'));
  chat.flush();
  assert.deepEqual(shown(), ['fine']);
  assert.equal(list.querySelectorAll('.gap').length, 1);
  chat.add({ type: 'deleted', id: '2' });
  assert.deepEqual(shown(), []);
  list.remove();
  pill.remove();
});
test('purchases_of_one_offer_share_a_note', () => {
  const list = document.body.appendChild(document.createElement('ul'));
  const pill = document.body.appendChild(document.createElement('button'));
  const chat = new ChatList({ list, pill, offerOf: (id) => ({ id, title: id }) });
  const buys = (name, offer, at) => chat.add({ type: 'purchased', name, offer, qty: 1, at });
  for (let second = 0; second < 15; second++) buys(`Buyer ${second}`, 'mug', second * 1000);
  buys('Ann', 'rug', 15_000);
  buys('Ann', 'rug', 16_000);
  buys('', 'lamp', 15_000);
  buys('', 'lamp', 16_000);
  buys('', 'lamp', 17_000);
  buys('A. B.', 'cup', 18_000);
  buys('C.', 'cup', 19_000); // Initials do not count people.
  buys('Ann', 'mug', 25_000);
  chat.flush();
  const shown = [...list.querySelectorAll('.note')].map((node) => node.textContent.replace(/[\u2068\u2069]/g, ''));
  const merged = ['15 people bought mug', '2 purchases: rug', '3 purchases: lamp', '2 purchases: cup'];
  assert.deepEqual(shown, [...merged, 'Ann bought mug']);
  list.remove();
  pill.remove();
});
test('snapshot_for_a_slow_viewer_moves_the_position', () => {
  const c = make();
  last().say(hello());
  last().say({
    t: 'snapshot',
    why: 'slow',
    epoch: 'e1',
    seq: 90,
    recovered: false,
    events: [ev(89), ev(90)],
    state: { pin: null, offers: {}, viewers: 4, likes: 2, chat: {} },
  });
  assert.equal(c.gaps, 1);
  assert.equal(c.seq, 90);
  last().say({ t: 'tick', seq: 91, events: [ev(91)] });
  assert.deepEqual(c.log, ['89r', '90r', 91]);
  end(c);
});
const offer = (v, left) => ({ id: 'o', v, left });
test('older_offer_never_replaces_a_newer_one', async () => {
  const c = make();
  last().say(hello({ state: { pin: null, offers: { o: offer([1, 5], 7) }, viewers: 1 } }));
  last().say({ t: 'tick', seq: 5, state: { offers: { o: offer([1, 4], 9) } } });
  assert.equal(c.state.offers.get('o').left, 7);
  last().drop();
  await wait(5);
  last().say(hello({ recovered: true, state: { pin: null, offers: { o: offer([1, 3], 12) }, viewers: 1 } }));
  assert.equal(c.state.offers.get('o').left, 7);
  last().say({ t: 'tick', seq: 5, state: { offers: { o: offer([2, 1], 3) } } });
  assert.equal(c.state.offers.get('o').left, 3);
  end(c);
});
test('snapshot_removes_missing_offers_and_pin', () => {
  const c = make();
  last().say(hello({ state: { pin: { offer: 'o', v: [1, 1] }, offers: { o: offer([1, 5], 7) } } }));
  last().say({ t: 'snapshot', why: 'hole', epoch: 'e1', seq: 6, events: [], state: { pin: null, offers: {} } });
  assert.equal(c.state.offers.size, 0);
  assert.equal(c.state.pin, null);
  end(c);
});
test('older_pin_is_ignored', () => {
  const c = make();
  last().say(hello());
  last().say({ t: 'tick', seq: 5, state: { pin: { offer: 'b', v: [1, 3] } } });
  last().say({ t: 'tick', seq: 5, state: { pin: { offer: 'a', v: [1, 2] } } });
  assert.equal(c.state.pin.offer, 'b');
  end(c);
});
test('server_clock_uses_the_least_delayed_sample', () => {
  const c = make();
  last().say(hello());
  assert.equal(c.now(), clock + 5000);
  c.clock.record(clock + 4000);
  assert.equal(c.now(), clock + 5000);
  c.clock.record(clock + 5200);
  assert.equal(c.now(), clock + 5200);
  end(c);
});
test('request_resolves_with_reply_and_rejects_with_code', async () => {
  const c = make();
  await assert.rejects(c.request('say', {}), { code: 'offline' });
  last().say(hello());
  const s = last();
  const a = c.request('say', { text: 'a' });
  s.say({ t: 'reply', ref: s.out.at(-1).ref, ok: { id: 'm' } });
  assert.equal((await a).id, 'm');
  const b = c.request('buy', {});
  s.say({ t: 'reply', ref: s.out.at(-1).ref, error: { code: 'sold_out', message: 'Sold out', retry_ms: null } });
  await assert.rejects(b, { code: 'sold_out' });
  await assert.rejects(c.request('say', {}, 5), { code: 'timeout' });
  const d = c.request('buy', {});
  s.drop();
  await assert.rejects(d, { code: 'link_lost' });
  end(c);
});
test('older_order_never_replaces_a_newer_one', () => {
  const c = make();
  const seen = [];
  c.on('order', (o) => seen.push(o.status));
  last().say(hello());
  last().say({ t: 'order', order: { id: 'r', version: 2, status: 'paid' } });
  last().say({ t: 'order', order: { id: 'r', version: 1, status: 'held' } });
  assert.deepEqual(seen, ['paid']);
  end(c);
});
test('audit_and_review_frames_are_emitted', () => {
  const c = make();
  const emitted = [];
  c.on('audit', ({ kind }) => emitted.push(kind));
  c.on('review', ({ id }) => emitted.push(id));
  c.on('reviewed', (id) => emitted.push(`${id} reviewed`));
  last().say(hello());
  last().say({ t: 'audit', entry: { kind: 'mute' } });
  last().say({ t: 'review', message: { id: 'm1' } });
  last().say({ t: 'review', reviewed: 'm1' });
  assert.deepEqual(emitted, ['mute', 'm1', 'm1 reviewed']);
  end(c);
});
test('stock_alerts_are_counted_and_zero_removes_an_entry', () => {
  const c = make();
  last().say(hello({ state: { pin: null, offers: {}, stock_alerts: { o: 2 } } }));
  assert.equal(c.state.stock_alerts.get('o'), 2);
  last().say({ t: 'tick', seq: 5, state: { stock_alerts: { o: 0, p: 1 } } });
  assert.deepEqual([...c.state.stock_alerts], [['p', 1]]);
  last().say({ t: 'snapshot', why: 'hole', epoch: 'e1', seq: 6, events: [], state: { pin: null, offers: {} } });
  assert.equal(c.state.stock_alerts.size, 0);
  end(c);
});
test('faulty_handler_does_not_affect_the_others', () => {
  const c = make();
  const err = console.error;
  console.error = () => {};
  c.on('event', () => {
    throw new Error('x');
  });
  const seen = [];
  c.on('event', (e) => seen.push(e.seq));
  last().say(hello());
  last().say({ t: 'tick', seq: 6, events: [ev(6)] });
  console.error = err;
  assert.deepEqual(seen, [6]);
  end(c);
});
