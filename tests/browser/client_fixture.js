// What the tests of the reference client share: the list of tests, assertions, and a scripted server.

import { LiveClient } from '/client.js';

const tests = [];
export const test = (name, body) => tests.push({ name, body });

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
export const fail = (what) => {
  throw new Error(what);
};
export const assert = {
  ok: (value) => value || fail(`${value} is not true`),
  equal: (a, b) => a === b || fail(`${String(a)} is not ${String(b)}`),
  notEqual: (a, b) => a !== b || fail(`both are ${String(a)}`),
  deepEqual: (a, b) => same(a, b) || fail(`${JSON.stringify(a)} is not ${JSON.stringify(b)}`),
  match: (text, pattern) => pattern.test(text) || fail(`${text} does not match ${pattern}`),
  rejects: (promise, { code }) =>
    promise.then(
      () => fail(`no ${code}`),
      (error) => assert.equal(error.code, code),
    ),
};

export class Fake {
  static all = [];
  constructor(url, protocols) {
    this.url = new URL(url);
    this.protocols = protocols;
    this.readyState = 1;
    this.out = [];
    Fake.all.push(this);
  }
  send(x) {
    this.out.push(JSON.parse(x));
  }
  close() {
    this.readyState = 3;
  }
  say(f) {
    this.onmessage?.({ data: JSON.stringify(f) });
  }
  drop(code = 1006, reason = '') {
    this.onclose?.({ code, reason });
  }
}
export const clock = 1_000_000;
export const make = (o = {}) => {
  Fake.all = [];
  const c = new LiveClient('s1', {
    base: 'http://x',
    WebSocket: Fake,
    random: () => 0,
    steadyClock: () => clock,
    ...o,
  });
  c.log = [];
  c.on('event', (e, h) => c.log.push(h.replay ? e.seq + 'r' : e.seq));
  c.st = [];
  c.on('status', (s) => c.st.push(s.status));
  c.gaps = 0;
  c.on('gap', () => c.gaps++);
  c.open();
  return c;
};
export const last = () => Fake.all.at(-1);
export const hello = (m = {}) => ({
  t: 'hello',
  epoch: 'e1',
  seq: 5,
  recovered: false,
  now: clock + 5000,
  you: null,
  stream: { id: 's1', status: 'live' },
  events: [],
  state: { pin: null, offers: {}, viewers: 1, likes: 0, chat: {} },
  ...m,
});
export const ev = (seq, m = {}) => ({ seq, at: 0, type: 'chat', id: 'm' + seq, from: {}, text: 'x', ...m });
export const wait = (ms) => new Promise((r) => setTimeout(r, ms));
export const end = (c) => c.close();

/** Runs every test, and returns the names of those that failed, with the reason. */
export async function run() {
  const failed = [];
  for (const { name, body } of tests) {
    try {
      await body();
    } catch (error) {
      failed.push(`${name}: ${error.message}`);
    }
  }
  return { proven: tests.length, failed };
}
