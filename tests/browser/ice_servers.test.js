// The ICE servers of a `Link` header, as media servers write it.
//
// Run by Node: `node --test tests/browser/ice_servers.test.js`. It reads the files only and needs no server. That a browser uses them is
// tested in tests/browser/whep.rs.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { iceServers } from '../../web-demo/ice_servers.js';

const STUN = { urls: 'stun:stun.example.net' };
const TURN = { urls: 'turn:turn.example.net?transport=udp', username: 'user', credential: 'pass' };

test('ice servers are read from the link header', () => {
  for (const [header, expected] of [
    ['', []],
    ['<stun:stun.example.net>; rel="ice-server"', [STUN]],
    ['<stun:stun.example.net>;rel=ice-server', [STUN]],
    // The example of RFC 9725, as a browser joins several headers.
    [
      '<stun:stun.example.net>; rel="ice-server", <turn:turn.example.net?transport=udp>; rel="ice-server"; ' +
        'username="user"; credential="pass"; credential-type="password"',
      [STUN, TURN],
    ],
    [
      '<turns:t.example:5349>; REL="ICE-SERVER"; username="a, \\"b\\"; c"; credential="x>y,<z>"',
      [{ urls: 'turns:t.example:5349', username: 'a, "b"; c', credential: 'x>y,<z>' }],
    ],
    // What is no server, what a browser would refuse, and what is broken.
    ['<https://media.example/next>; rel="next", <stun:stun.example.net>; rel="ice-server"', [STUN]],
    ['<turn:turn.example.net>; rel="ice-server"', []],
    ['<turn:turn.example.net>; rel="ice-server"; username="user"', []],
    ['<javascript:alert(1)>; rel="ice-server", <stun:>; rel="ice-server", <stun:a?b>; rel="ice-server"', []],
    ['<stun:stun.example.net', []],
    ['; rel="ice-server"', []],
  ]) {
    assert.deepEqual(iceServers(header), expected, String(header));
  }
});

test('a long list of servers is cut, and a long header takes no time', () => {
  const many = Array.from({ length: 100 }, (_, n) => `<stun:s${n}.example>; rel="ice-server"`).join(', ');
  assert.equal(iceServers(many).length, 5);
  // Processor time, because other tests may run beside this one.
  const before = process.cpuUsage().user;
  for (const part of ['<stun:a>;a', ';', ' ;a="', '<', '\\"']) iceServers(part.repeat(10_000));
  assert.ok(process.cpuUsage().user - before < 2_000_000);
});
