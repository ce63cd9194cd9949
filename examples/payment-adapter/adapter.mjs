// A payment adapter for Livesouk: it speaks the contract of docs/payments.md on one side and the API of a payment provider on the other.
// The provider of this sample (provider.mjs) is in memory and takes no money; put the calls of yours in its place.
//   ADAPTER_KEY_FILE=key SHOP_WEBHOOK_URL=https://shop.example/v1/webhooks/http node adapter.mjs
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider, Refused } from './provider.mjs';

const { ADAPTER_KEY_FILE, SHOP_WEBHOOK_URL, ADAPTER_LISTEN = '127.0.0.1:8090', PROVIDER_SEED = '1' } = process.env;
const BODY_BYTES_MAX = 65_536;
const TOLERANCE_S = 300;
/** A webhook that the shop did not take is sent again after these times; the shop asks by itself too. */
const RETRY_MS = [1_000, 10_000, 60_000];

// The first key signs; while the key is changed, requests that are signed with the old one are taken too.
const keys = readFileSync(ADAPTER_KEY_FILE, 'utf8')
  .trim()
  .split(/[,\s]+/);
const secrets = keys.map((key) => Buffer.from(key.replace(/^whsec_/, ''), 'base64'));

const mac = (secret, id, timestamp, body) =>
  createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();

/** Is the request signed with one of our keys, over exactly these bytes, and recent? */
function isGenuine(headers, body) {
  const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '', 'webhook-signature': signatures = '' } = headers;
  if (!(Math.abs(Date.now() / 1_000 - Number(timestamp)) <= TOLERANCE_S)) return false;
  const given = signatures.split(' ').filter((one) => one.startsWith('v1,'));
  return given.some((one) => {
    const signature = Buffer.from(one.slice(3), 'base64');
    return secrets.some((secret) => {
      const expected = mac(secret, id, timestamp, body);
      return expected.length === signature.length && timingSafeEqual(expected, signature);
    });
  });
}

// ---- The words of the provider in those of the contract ----

const STATUS = {
  initiated: 'needs_action',
  pending: 'working',
  authorized: 'authorized',
  paid: 'captured',
  failed: 'declined',
  voided: 'cancelled',
};

/** `live` must be false for payments that take no money. A refund of the provider has our key in its metadata. */
const payment = (charge) => ({
  payment: charge && {
    id: charge.id,
    order: charge.metadata.order ?? null,
    attempt: charge.metadata.attempt ?? null,
    status: STATUS[charge.state],
    authorises: charge.manual,
    amount: charge.amount,
    currency: charge.currency,
    live: charge.live,
    captured: charge.captured,
    refunded: charge.refunds.filter(({ state }) => state !== 'failed').reduce((sum, { amount }) => sum + amount, 0),
    redirect_url: charge.state === 'initiated' ? charge.url : null,
    fingerprint: charge.card ?? null,
  },
});
const refund = ({ id, state, amount, metadata }) => ({ id, status: state, amount, key: metadata.key ?? null });

const provider = new Provider(Number(PROVIDER_SEED), sendWebhook);

/** `key` makes a request that comes again the same request: the provider carries it out once, and gives the same object. */
const handlers = {
  create_payment: ({ order, attempt, amount, currency, token, return_url }, key) =>
    payment(provider.charge({ key, amount, currency, token, return_url, metadata: { order, attempt } })),
  get_payment: (body) => payment(provider.find(body.payment)),
  // The list of the provider must be complete at once: a search that is late would lose payments.
  find_payment: ({ order, attempt, from, until }) =>
    payment(
      provider.list(from, until).find(({ metadata }) => metadata.order === order && metadata.attempt === attempt),
    ),
  capture_payment: (body, key) => payment(provider.capture(body.payment, body.amount, key)),
  void_payment: (body, key) => payment(provider.void(body.payment, key)),
  create_refund: (body, key) => ({ refund: refund(provider.refund(body.payment, body.amount, key)) }),
  list_refunds: (body) => ({ refunds: (provider.find(body.payment)?.refunds ?? []).map(refund) }),
  list_payments: ({ from, until, after }) => {
    const { charges, next } = provider.page(from, until, after);
    return { payments: charges.map((charge) => payment(charge).payment), next };
  },
};

function answer(headers, raw) {
  if (!isGenuine(headers, raw)) return [401, { error: 'bad_signature' }];
  const body = JSON.parse(raw);
  const handle = Object.hasOwn(handlers, body.type) ? handlers[body.type] : null;
  if (!handle) return [501, { error: 'unknown_type' }];
  try {
    const said = handle(body, headers['idempotency-key']);
    // `undefined` would leave `payment` out, and what is only missing says nothing.
    if ('payment' in said) said.payment ??= null;
    return [200, said];
  } catch (error) {
    // Only what certainly was not done, and never will be, is refused. Everything else is an error, and the shop looks again.
    if (error instanceof Refused) return [422, { refused: error.code }];
    throw error;
  }
}

// ---- Events: they only say where to look ----

async function sendWebhook(id, type, charge) {
  if (!SHOP_WEBHOOK_URL) return;
  const body = JSON.stringify({ type, payment: charge.id });
  for (const wait of [0, ...RETRY_MS]) {
    await new Promise((done) => setTimeout(done, wait).unref());
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const signature = `v1,${mac(secrets[0], id, timestamp, body).toString('base64')}`;
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
    const options = { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) };
    const isTaken = await fetch(SHOP_WEBHOOK_URL, options).then(
      (reply) => reply.ok,
      () => false,
    );
    if (isTaken) return;
  }
}

// ---- HTTP ----

async function read(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_BYTES_MAX) throw new RangeError('the body is too large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const server = createServer(async (request, response) => {
  try {
    const body = await read(request);
    // The page where buyers pay is the provider's; only this sample serves it itself.
    if (request.url.startsWith('/pay/')) return provider.serve(request, body, response);
    const [status, said] = request.method === 'POST' ? answer(request.headers, body) : [405, {}];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end('{}');
  }
});
const [host, port] = ADAPTER_LISTEN.split(':');
server.listen(Number(port), host, () => {
  provider.base = `http://${host}:${server.address().port}`;
  console.log(provider.base);
});
