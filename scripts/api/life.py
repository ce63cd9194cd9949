"""The whole life of a sale with the client that openapi-python-client makes from the document: a product, a show, an offer, a purchase,
its payment and its refund."""

import sys
import uuid

from livesouk_client import AuthenticatedClient, Client
from livesouk_client.api.offers import offers_create, offers_open
from livesouk_client.api.orders import orders_buy, orders_by_key, orders_list, orders_pay, orders_refund
from livesouk_client.api.products import products_create
from livesouk_client.api.shop import shop_create_token
from livesouk_client.api.streams import streams_create, streams_end, streams_start
from livesouk_client.models import (
    DevTokenRequest,
    NewOfferRequest,
    NewProductRequest,
    NewStreamRequest,
    NewVariantRequest,
    OfferKind,
    OrdersBuyRequest,
    OrdersPayRequest,
    OrdersPayRequestToken,
    OrdersRefundRequest,
    OrderStatus,
    Problem,
)

base = sys.argv[1]


def expect(what, answer):
    if answer.parsed is None or isinstance(answer.parsed, Problem):
        raise SystemExit(f"{what}: {answer.status_code} {answer.content!r}")
    return answer.parsed


def same(what, value, expected):
    if value != expected:
        raise SystemExit(f"{what}: {value!r} instead of {expected!r}")


def signed_in(name, role):
    body = DevTokenRequest.from_dict({"name": name, "role": role})
    token = expect("token", shop_create_token.sync_detailed(client=Client(base), body=body)).token
    return AuthenticatedClient(base, token)


def key():
    return str(uuid.uuid4())


host, buyer = signed_in("Huda", "host"), signed_in("Ann", "viewer")
product = NewProductRequest(title="Leather bag", variants=[NewVariantRequest(name="Brown", price=14_900, stock=10)])
variant = expect("product", products_create.sync_detailed(client=host, body=product)).variants[0].id
stream = expect("show", streams_create.sync_detailed(client=host, body=NewStreamRequest(title="Evening show"))).id
expect("start", streams_start.sync_detailed(stream, client=host))
form = NewOfferRequest(variant=variant, kind=OfferKind.REGULAR, price=12_900, quantity=3)
offer = expect("offer", offers_create.sync_detailed(stream, client=host, body=form, idempotency_key=key())).id
same("left", expect("open", offers_open.sync_detailed(offer, client=host)).left, 3)

purchase = key()
buying = orders_buy.sync_detailed(offer, client=buyer, body=OrdersBuyRequest(qty=2), idempotency_key=purchase)
order = expect("buy", buying)
same("status after buying", order.status, OrderStatus.HELD)
found = expect("by key", orders_by_key.sync_detailed(client=buyer, idempotency_key=purchase))
same("order of the key", found.id, order.id)
refused = orders_buy.sync_detailed(offer, client=buyer, body=OrdersBuyRequest(qty=2), idempotency_key=key()).parsed
same("refusal", (refused.code, refused.left), ("too_few_left", 1))
money = OrdersPayRequest(token=OrdersPayRequestToken.OK)
paid = expect("pay", orders_pay.sync_detailed(order.id, client=buyer, body=money, idempotency_key=key()))
same("status after paying", paid.status, OrderStatus.PAID)
back = OrdersRefundRequest(restock=True, reason="A scratch")
refund = expect("refund", orders_refund.sync_detailed(order.id, client=host, body=back, idempotency_key=key()))
same("order of the refund", refund.id, order.id)
mine = expect("my orders", orders_list.sync_detailed(client=buyer, stream=stream, limit=10))
same("number of orders", len(mine.items), 1)
expect("end", streams_end.sync_detailed(stream, client=host))
print(f"sold and refunded order {order.id}")
