// A shop's site that hands a signed-in customer over to the show, without a token in a link. Then open http://127.0.0.1:3000.
//   LIVESOUK_AUTH_KEY=… STREAM=… node hand-over.mjs
import { createServer } from 'node:http';
import { signToken } from './sign-token.mjs';

const { LIVESOUK_AUTH_KEY: key, STREAM: stream } = process.env;
const { LIVESOUK_URL: live = 'http://127.0.0.1:8080', SITE: site = 'http://127.0.0.1:3000' } = process.env;

/** The link to the show for a customer who is signed in on this site. It works once, within a minute, from a page of this site. */
async function showLink(customer) {
  const response = await fetch(`${live}/v1/sign-in-codes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${signToken(customer, key)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ origin: site }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`no sign-in code: ${answer.code}, ${answer.detail}`);
  return `${live}/watch?stream=${stream}#code=${answer.code}`;
}

createServer(async (request, response) => {
  if (request.url !== '/live') {
    // The link leads to our own server, which makes the code only when the customer wants it.
    response.setHeader('content-type', 'text/html').end('<title>Shop</title><a id="go" href="/live">Watch the show</a>');
    return;
  }
  try {
    const customer = { id: 4711, name: 'Noura' }; // Your site reads this from its session.
    response.writeHead(302, { location: await showLink(customer), 'cache-control': 'no-store' }).end();
  } catch (error) {
    console.error(error);
    response.writeHead(502).end('The show is not available.');
  }
}).listen(new URL(site).port, '127.0.0.1', () => console.log(`open ${site}`));
