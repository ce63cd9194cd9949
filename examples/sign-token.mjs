// Signs a viewer's token for Livesouk. Run on your server, never in a browser: the key signs for every user.
//   LIVESOUK_AUTH_KEY=… node sign-token.mjs CUSTOMER_ID NAME
import { createHmac } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signToken(customer, key, lifetimeS = 6 * 3600) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    sub: String(customer.id), // an id may be a number in your database; the claim is a string
    name: [...customer.name].slice(0, 40).join(''), // at most 40 characters, not 40 UTF-16 units
    role: 'viewer',
    iat: now,
    exp: now + lifetimeS,
  };
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`;
}

const [program, id, name] = process.argv.slice(1);
const isProgram = import.meta.url === pathToFileURL(program).href; // not when another file imports it
if (isProgram && id && name && process.env.LIVESOUK_AUTH_KEY) {
  console.log(signToken({ id, name }, process.env.LIVESOUK_AUTH_KEY));
} else if (isProgram) {
  console.error('usage: LIVESOUK_AUTH_KEY=… node sign-token.mjs CUSTOMER_ID NAME');
  process.exitCode = 2;
}
