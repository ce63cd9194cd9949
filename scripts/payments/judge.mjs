// Drives the payment provider of the tests with the official library, and verifies its events.
//
//   node judge.mjs BASE

import assert from "node:assert/strict";
import { createServer } from "node:http";
import Stripe from "stripe";

const base = process.argv[2];
const { hostname, port } = new URL(base);
const stripe = new Stripe("rk_test_shop", { host: hostname, port, protocol: "http", maxNetworkRetries: 0 });
const secret = "whsec_judge";

/** Every event that came, verified by the library. */
const events = [];
const receiver = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    const signature = request.headers["stripe-signature"];
    assert.throws(() => stripe.webhooks.constructEvent(`${body} `, signature, secret));
    assert.throws(() => stripe.webhooks.constructEvent(body, signature, "whsec_other"));
    events.push(stripe.webhooks.constructEvent(body, signature, secret));
    response.end();
  });
});
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${receiver.address().port}/`;
await fetch(`${base}/_control/endpoint`, { method: "POST", body: new URLSearchParams({ url, secret }) });

const pay = (extra, options) =>
  stripe.paymentIntents.create(
    {
      amount: 4900,
      currency: "sar",
      capture_method: "manual",
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: "never" },
      payment_method: "pm_card_visa",
      metadata: { order: "o1", attempt: "1" },
      ...extra,
    },
    options,
  );

const paid = await pay({}, { idempotencyKey: "judge-1" });
assert.equal(paid.status, "requires_capture");
assert.equal((await pay({}, { idempotencyKey: "judge-1" })).id, paid.id);
await assert.rejects(pay({ amount: 5000 }, { idempotencyKey: "judge-1" }), Stripe.errors.StripeIdempotencyError);
const captured = await stripe.paymentIntents.capture(paid.id, {}, { idempotencyKey: "judge-2" });
assert.deepEqual([captured.status, captured.amount_received], ["succeeded", 4900]);
// What is kept of it, and its disputes, of which there are none.
const expand = ["latest_charge.balance_transaction"];
const { balance_transaction: settled } = (await stripe.paymentIntents.retrieve(paid.id, { expand })).latest_charge;
assert.deepEqual([settled.object, settled.amount, settled.fee, settled.net], ["balance_transaction", 4900, 172, 4728]);
assert.equal((await stripe.balanceTransactions.retrieve(settled.id)).fee, 172);
assert.deepEqual((await stripe.disputes.list({ payment_intent: paid.id })).data, []);
const disputed = await pay({ payment_method: "pm_card_createDispute" });
await stripe.paymentIntents.capture(disputed.id);
const [dispute] = (await stripe.disputes.list({ payment_intent: disputed.id })).data;
assert.equal(dispute.status, "needs_response");
assert.ok(dispute.evidence_details.due_by > dispute.created);
assert.equal((await stripe.disputes.close(dispute.id)).status, "lost");
const refund = await stripe.refunds.create({ payment_intent: paid.id, amount: 900 }, { idempotencyKey: "judge-3" });
assert.deepEqual([refund.status, refund.amount], ["succeeded", 900]);
await assert.rejects(stripe.refunds.create({ payment_intent: paid.id, amount: 4001 }), /larger/);
await assert.rejects(pay({ payment_method: "pm_card_chargeDeclined" }), (error) => {
  assert.ok(error instanceof Stripe.errors.StripeCardError);
  assert.equal(error.decline_code, "generic_decline");
  return true;
});
const listed = [];
for await (const intent of stripe.paymentIntents.list({ limit: 1, created: { gte: 0 } })) listed.push(intent.id);
assert.ok(listed.includes(paid.id));
const asked = await pay({ payment_method: "pm_card_threeDSecure2Required" });
assert.equal(asked.status, "requires_action");
assert.equal((await stripe.paymentIntents.cancel(asked.id)).status, "canceled");

// A card is saved for a customer, pays again, and is taken away.
const customer = await stripe.customers.create({ metadata: { shop: "c1" } }, { idempotencyKey: "judge-4" });
const saving = await pay({ customer: customer.id, setup_future_usage: "on_session" });
assert.deepEqual([saving.customer, saving.setup_future_usage], [customer.id, "on_session"]);
const methods = await stripe.customers.listPaymentMethods(customer.id, { type: "card", limit: 100 });
assert.deepEqual(
  methods.data.map(({ id, card }) => [id, card.brand, card.last4]),
  [[saving.payment_method, "visa", "4242"]],
);
const [{ id: method }] = methods.data;
assert.equal((await pay({ customer: customer.id, payment_method: method })).status, "requires_capture");
await assert.rejects(pay({ payment_method: method }), Stripe.errors.StripeInvalidRequestError);
assert.equal((await stripe.paymentMethods.detach(method)).customer, null);
assert.equal((await stripe.customers.del(customer.id)).deleted, true);
await assert.rejects(stripe.customers.listPaymentMethods(customer.id), /No such customer/);

const wanted = [
  "payment_intent.amount_capturable_updated",
  "payment_intent.succeeded",
  "charge.refunded",
  "refund.created",
  "payment_intent.payment_failed",
  "payment_intent.requires_action",
  "payment_intent.canceled",
  "charge.dispute.created",
  "charge.dispute.closed",
  "payment_method.attached",
  "payment_method.detached",
  "customer.deleted",
];
const deadline = Date.now() + 20_000;
const missing = () => wanted.filter((kind) => !events.some((event) => event.type === kind));
while (missing().length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
assert.deepEqual(missing(), []);
process.exit(0);
