// The connections of the reference client: moving, closes, silence, sleep. Runs in a browser page of tests/browser/client.rs.

import { Fake, assert, end, ev, fail, hello, last, make, test, wait } from '/client_fixture.js';

test('moving_keeps_the_old_connection_until_hello', async () => {
  const c = make();
  last().say(hello());
  const old = last();
  old.say({ t: 'moving', retry_ms: 800 });
  await wait(5);
  const fresh = last();
  assert.notEqual(fresh, old);
  old.say({ t: 'tick', seq: 6, events: [ev(6)] });
  assert.deepEqual(c.log, [6]);
  const [soon, later] = [c.request('buy', {}), c.request('pay', {})];
  fresh.say(hello({ seq: 7, recovered: true, events: [ev(6), ev(7)] }));
  old.say({ t: 'reply', ref: old.out.at(-2).ref, ok: {} });
  await soon;
  await wait(2_100);
  assert.equal(old.readyState, 1);
  old.say({ t: 'reply', ref: old.out.at(-1).ref, ok: { id: 'm9' } });
  assert.equal((await later).id, 'm9');
  assert.equal(old.readyState, 3);
  old.say({ t: 'tick', seq: 8, events: [ev(8, { id: 'dup' })] });
  old.drop(4509);
  fresh.say({ t: 'tick', seq: 8, events: [ev(8)] });
  assert.deepEqual(c.log, [6, '7r', 8]);
  assert.deepEqual(c.st, ['connecting', 'live']);
  end(c);
});
test('moving_continues_on_the_successor_when_the_old_connection_closes', async () => {
  const c = make();
  last().say(hello());
  const old = last();
  old.say({ t: 'moving', retry_ms: 1 });
  await wait(5);
  old.drop(4509);
  assert.equal(c.status, 'catching_up');
  last().say(hello({ recovered: true }));
  assert.equal(c.status, 'live');
  end(c);
});
test('close_4501_is_final_and_4013_uses_the_delay_of_the_server', async () => {
  const c = make();
  last().say(hello());
  let change;
  c.on('status', (s) => {
    change = s;
  });
  last().drop(4013, '{"retry_ms":40}');
  assert.equal(change.retry_ms, 40);
  const n = Fake.all.length;
  await wait(10);
  assert.equal(Fake.all.length, n);
  await wait(50);
  assert.equal(Fake.all.length, n + 1);
  last().drop(4501);
  assert.equal(c.status, 'closed');
  await wait(20);
  assert.equal(Fake.all.length, n + 1);
  end(c);
});
test('ticket_of_a_4013_is_sent_once_with_the_next_connection', async () => {
  const c = make();
  const ticket = () => last().url.searchParams.get('ticket');
  assert.equal(ticket(), null);
  last().drop(4013, '{"retry_ms":20,"ticket":"abc"}');
  const n = Fake.all.length;
  c.checkConnection(); // For example because the network changed: the place is not free yet.
  assert.equal(Fake.all.length, n);
  await wait(40);
  assert.equal(ticket(), 'abc');
  last().drop(1006); // A place is not lost with a connection.
  await wait(20);
  assert.equal(ticket(), 'abc');
  last().say(hello());
  last().drop();
  await wait(20);
  assert.equal(ticket(), null);
  end(c);
});
/** A room with a frame every 20 ms, until the return value is called. The clock of the client is the real one. */
const busyRoom = async () => {
  const c = make({ steadyClock: () => performance.now(), random: Math.random });
  last().say(hello());
  const socket = last();
  const speak = () => socket.say({ t: 'tick', seq: 5, state: { likes: 1 } });
  for (let frame = 0; frame < 60; frame++) {
    await wait(20);
    speak();
  }
  return { c, socket, speak };
};
const until = async (what, limit_ms, isTrue) => {
  const start = performance.now();
  while (!isTrue()) {
    if (performance.now() - start > limit_ms) fail(`${what} takes longer than ${limit_ms} ms`);
    await wait(20);
  }
  return performance.now() - start;
};
test('silence_of_a_busy_room_is_noticed_within_five_seconds_and_the_old_connection_may_come_back', async () => {
  const { c, socket, speak } = await busyRoom();
  const pending = c.request('buy', {});
  const took = await until('the doubt', 5_000, () => !c.live);
  assert.ok(took > 2_500);
  assert.equal(socket.out.at(-1).do, 'ping');
  // What was asked may be done or not, and is asked again with the same key.
  await assert.rejects(pending, { code: 'link_lost' });
  await assert.rejects(c.request('buy', {}), { code: 'offline' });
  await until('the second connection', 1_500, () => last() !== socket);
  assert.equal(socket.readyState, 1);
  speak(); // The server was only slow.
  assert.ok(c.live);
  last().say(hello({ recovered: true }));
  assert.deepEqual(c.st, ['connecting', 'live', 'reconnecting', 'live']);
  assert.equal(socket.readyState, 3);
  end(c);
});
test('answered_question_keeps_the_connection_and_the_next_one_is_later', async () => {
  const { c, socket } = await busyRoom();
  const asked = () => socket.out.filter((frame) => frame.do === 'ping').length;
  await until('the first question', 3_000, () => asked() === 1);
  const first = c.silence.quiet_ms;
  socket.say({ t: 'reply', ref: socket.out.at(-1).ref, error: { code: 'unknown_verb' } });
  await wait(2_500);
  assert.ok(c.live);
  assert.equal(last(), socket);
  assert.ok(c.silence.quiet_ms >= 2 * first);
  end(c);
});
test('connection_is_asked_at_once_when_the_network_may_have_changed', async () => {
  const c = make();
  last().say(hello());
  const asked = () => last().out.filter((frame) => frame.do === 'ping').length;
  let wanted = 0;
  for (const [target, name] of [
    [window, 'online'],
    [window, 'pageshow'],
    [document, 'visibilitychange'],
    [document, 'resume'],
    ...(navigator.connection ? [[navigator.connection, 'change']] : []),
  ]) {
    target.dispatchEvent(new Event(name));
    assert.equal(asked(), ++wanted);
    last().say({ t: 'reply', ref: last().out.at(-1).ref, error: { code: 'unknown_verb' } });
  }
  end(c);
  window.dispatchEvent(new Event('online'));
  assert.equal(asked(), wanted);
});
test('clock_of_the_device_that_is_set_back_changes_nothing', async () => {
  const c = make({ steadyClock: undefined });
  const now = Date.now();
  last().say(hello({ now: now + 60_000 }));
  const real = Date.now;
  Date.now = () => real() - 3_600_000;
  try {
    assert.ok(Math.abs(c.now() - now - 60_000) < 2_000);
    c.checkConnection();
    assert.equal(Fake.all.length, 1);
    // A sleep: the clock of the device goes on, the one of the page stands still. A new hello sets it.
    Date.now = () => real() + 60_000;
    c.checkConnection();
    assert.equal(Fake.all.length, 2);
  } finally {
    Date.now = real;
  }
  end(c);
});
test('connection_replaced_by_one_of_this_client_that_is_lost_reconnects', async () => {
  const c = make();
  last().say(hello());
  const old = last();
  old.say({ t: 'moving', retry_ms: 1 });
  await wait(5);
  last().drop(1006);
  old.drop(4509);
  assert.equal(c.status, 'reconnecting');
  await wait(20);
  last().say(hello({ recovered: true }));
  last().drop(4509);
  assert.equal(c.status, 'closed');
  end(c);
});
