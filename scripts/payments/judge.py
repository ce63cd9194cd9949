"""Drives the payment provider of the tests with the official library, and verifies its events. Usage: judge.py BASE"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlencode
from urllib.request import urlopen

import stripe

base = sys.argv[1]
SECRET = "whsec_judge_py"
client = stripe.StripeClient("sk_test_judge", base_addresses={"api": base}, max_network_retries=0)
events = []
problems = []


class Receiver(BaseHTTPRequestHandler):
    """Keeps every event that the library verifies."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signature = self.headers["stripe-signature"]
        try:
            events.append(stripe.Webhook.construct_event(body, signature, SECRET).type)
        except Exception as problem:
            problems.append(problem)
        try:
            stripe.Webhook.construct_event(body, signature, "whsec_other")
            problems.append("another secret was accepted")
        except stripe.SignatureVerificationError:
            pass
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
# The old secret signs as well while a new one is introduced.
given = {"url": f"http://127.0.0.1:{server.server_port}/", "secret": "whsec_new", "old_secret": SECRET}
urlopen(f"{base}/_control/endpoint", data=urlencode(given).encode())

PAY = {
    "amount": 5120,
    "currency": "kwd",
    "capture_method": "manual",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "metadata": {"order": "o2", "attempt": "1"},
}
paid = client.v1.payment_intents.create(PAY, {"idempotency_key": "judge-py-1"})
assert paid.status == "requires_capture", paid
assert client.v1.payment_intents.create(PAY, {"idempotency_key": "judge-py-1"}).id == paid.id
taken = client.v1.payment_intents.capture(paid.id, {"amount_to_capture": 5000})
assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 5000, 0), taken
refund = client.v1.refunds.create({"payment_intent": paid.id})
assert (refund.status, refund.amount) == ("succeeded", 5000), refund
try:
    client.v1.payment_intents.create({**PAY, "amount": 5124})
    raise AssertionError("an amount that the currency does not have was accepted")
except stripe.InvalidRequestError:
    pass

customer = client.v1.customers.create({"metadata": {"shop": "c2"}})
saving = client.v1.payment_intents.create({**PAY, "customer": customer.id, "setup_future_usage": "on_session"})
saved = client.v1.customers.payment_methods.list(customer.id, {"type": "card"})
assert [method.id for method in saved.data] == [saving.payment_method], saved
again = client.v1.payment_intents.create({**PAY, "customer": customer.id, "payment_method": saving.payment_method})
assert again.status == "requires_capture", again
assert client.v1.payment_methods.detach(saving.payment_method).customer is None
assert client.v1.customers.delete(customer.id).deleted

deadline = time.monotonic() + 20
wanted = {"payment_intent.amount_capturable_updated", "payment_intent.succeeded", "charge.refunded"}
while not wanted <= set(events) and time.monotonic() < deadline:
    time.sleep(0.05)
assert wanted <= set(events), events
assert not problems, problems
