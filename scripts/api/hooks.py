"""What schemathesis needs to know about this server: a check, and ids of objects that exist.

Without real ids nearly every request would be answered by 404, and its body would never be read.
"""

import json
import os
import urllib.request
import uuid
from urllib.parse import unquote

import schemathesis
from jsonschema import Draft202012Validator

BASE, TOKEN = os.environ["LIVESOUK_BASE"], os.environ["LIVESOUK_TOKEN"]
with open(os.environ["LIVESOUK_DOCUMENT"], encoding="utf-8") as file:
    DOCUMENT = json.load(file)


def post(path, body, key=None):
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    if key:
        headers["idempotency-key"] = key
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def make_objects():
    variants = [{"name": "Brown", "price": 14_900, "stock": 1_000}]
    product = post("/v1/products", {"title": "Bag", "variants": variants})
    stream = post("/v1/streams", {"title": "Evening show"})["id"]
    post(f"/v1/streams/{stream}/start", {})
    variant = product["variants"][0]["id"]
    form = {"variant": variant, "kind": "regular", "price": 12_900, "quantity": 500}
    offer = post(f"/v1/streams/{stream}/offers", form, str(uuid.uuid4()))["id"]
    post(f"/v1/offers/{offer}/open", {})
    order = post(f"/v1/offers/{offer}/orders", {"qty": 1}, str(uuid.uuid4()))["id"]
    return {"stream": stream, "offer": offer, "variant": variant, "order": order}


OBJECTS = make_objects()


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters:
        path_parameters.update({name: id for name, id in OBJECTS.items() if name in path_parameters})
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and "variant" in body:
        body["variant"] = OBJECTS["variant"]
    # A variant has a name, or one value for each option of its product: a rule of several fields, which no schema of one states.
    if isinstance(body, dict) and isinstance(body.get("variants"), list):
        body.pop("options", None)
        for variant in body["variants"]:
            if isinstance(variant, dict):
                variant.pop("options", None)
                variant.setdefault("name", "Brown")
    # A coupon takes a percentage or an amount off, not both. Its code has letters or digits of any script, which patterns cannot say.
    if isinstance(body, dict) and context.operation.path.endswith("/shop/coupons"):
        body["code"] = f"{body.get('code', '')[:10]} {uuid.uuid4().hex[:20]}"
        if body.get("percent_bp") is not None:
            body.pop("amount", None)
        elif body.get("amount") is None:
            body["amount"] = 500
    # A saved card stands instead of everything else; a card needs a token, the other ways to pay do not.
    if isinstance(body, dict) and context.operation.path.endswith("/pay") and body.get("payment_method"):
        return {name: body[name] for name in ("payment_method", "quote_version") if name in body}
    if isinstance(body, dict) and context.operation.path.endswith("/pay") and body.get("method", "card") == "card":
        body.setdefault("token", "ok")
    return body


def fits(schema, value):
    """Whether a value fits a schema of the document, to which its references point."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value)


def is_allowed(case):
    """Whether the document allows this request. Schemathesis also tries values that it saw elsewhere, which may break a pattern."""
    operation = DOCUMENT["paths"][case.operation.path][case.operation.method.lower()]
    places = {"path": case.path_parameters, "query": case.query, "header": case.headers}
    for parameter in operation.get("parameters", []):
        value = (places.get(parameter["in"]) or {}).get(parameter["name"])
        # Numbers are written as text in these places.
        if isinstance(value, str) and parameter["schema"].get("type") == "string":
            decoded = unquote(value) if parameter["in"] == "path" else value
            if not fits(parameter["schema"], decoded):
                return False
    body = operation.get("requestBody", {}).get("content", {}).get(case.media_type or "application/json")
    return not body or not isinstance(case.body, (dict, list, str)) or fits(body["schema"], case.body)


@schemathesis.check
def no_valid_request_is_bad(ctx, response, case):
    """A request that the document allows is never refused as malformed."""
    try:
        problem = response.json()
    except ValueError:
        return
    code = problem.get("code") if isinstance(problem, dict) else None
    if code in ("bad_request", "key_missing", "key_invalid") and is_allowed(case):
        raise AssertionError(f"{code}: {problem.get('detail')}")
