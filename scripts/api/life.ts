// The whole life of a sale with the client that openapi-typescript and openapi-fetch make from the document: a product, a show, an
// offer, a purchase, its payment and its refund. It compiles only if the types of the document are right.
import { randomUUID } from 'node:crypto';
import createClient from 'openapi-fetch';
import type { paths } from './schema.js';

const [baseUrl] = process.argv.slice(2);
if (!baseUrl) throw new Error('usage: life BASE_URL');

function expect<T>(what: string, answer: { data?: T; error?: { code: string; detail: string } }): T {
  if (answer.error || answer.data === undefined) {
    throw new Error(`${what}: ${answer.error ? `${answer.error.code}, ${answer.error.detail}` : 'no answer'}`);
  }
  return answer.data;
}

function same(what: string, is: unknown, expected: unknown): void {
  if (is !== expected) throw new Error(`${what}: ${String(is)} instead of ${String(expected)}`);
}

async function signedIn(name: string, role: 'viewer' | 'host') {
  const anonymous = createClient<paths>({ baseUrl });
  const { token } = expect('token', await anonymous.POST('/v1/dev/tokens', { body: { name, role } }));
  return createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });
}

const host = await signedIn('Huda', 'host');
const buyer = await signedIn('Ann', 'viewer');
const keyed = () => ({ 'Idempotency-Key': randomUUID() });

const product = expect(
  'product',
  await host.POST('/v1/products', {
    body: { title: 'Leather bag', titles: { ar: 'حقيبة جلدية' }, variants: [{ name: 'Brown', price: 14_900, stock: 10 }] },
  }),
);
const variant = product.variants[0]?.id;
if (!variant) throw new Error('the product has no variant');
const show = expect('show', await host.POST('/v1/streams', { body: { title: 'Evening show' } }));
const stream = show.id;
expect('start', await host.POST('/v1/streams/{stream}/start', { params: { path: { stream } } }));
const draft = expect(
  'offer',
  await host.POST('/v1/streams/{stream}/offers', {
    params: { path: { stream }, header: keyed() },
    body: { variant, kind: 'regular', price: 12_900, quantity: 3 },
  }),
);
const offer = draft.id;
const open = expect('open', await host.POST('/v1/offers/{offer}/open', { params: { path: { offer } } }));
same('left', open.left, 3);

const header = keyed();
const held = expect('buy', await buyer.POST('/v1/offers/{offer}/orders', { params: { path: { offer }, header }, body: { qty: 2 } }));
same('status after buying', held.status, 'held');
const found = expect('by key', await buyer.GET('/v1/orders/by-key', { params: { header } }));
same('order of the key', found.id, held.id);
const order = held.id;
const path = { order };
const refused = await buyer.POST('/v1/offers/{offer}/orders', { params: { path: { offer }, header: keyed() }, body: { qty: 2 } });
same('refusal', refused.error?.code, 'too_few_left');
same('fact of the refusal', refused.error?.left, 1);
const paid = expect('pay', await buyer.POST('/v1/orders/{order}/pay', { params: { path, header: keyed() }, body: { token: 'ok' } }));
same('status after paying', paid.status, 'paid');
const refunded = expect(
  'refund',
  await host.POST('/v1/orders/{order}/refund', { params: { path, header: keyed() }, body: { restock: true, reason: 'A scratch' } }),
);
same('order of the refund', refunded.id, order);
const mine = expect('my orders', await buyer.GET('/v1/orders', { params: { query: { stream, limit: 10 } } }));
same('number of orders', mine.items.length, 1);
expect('end', await host.POST('/v1/streams/{stream}/end', { params: { path: { stream } } }));
console.log(`sold and refunded order ${order}`);
