"""Signs a viewer's token for Livesouk. Run on your server, never in a browser: the key signs for every user.

LIVESOUK_AUTH_KEY=… python3 sign_token.py CUSTOMER_ID NAME
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign_token(customer_id, name: str, key: str, lifetime_s: int = 6 * 3600) -> str:
    now = int(time.time())
    claims = {
        "sub": str(customer_id),  # an id may be a number in your database; the claim is a string
        "name": name[:40],  # at most 40 characters
        "role": "viewer",
        "iat": now,
        "exp": now + lifetime_s,
    }
    header = {"alg": "HS256", "typ": "JWT"}
    content = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return content + "." + encode(hmac.new(key.encode(), content.encode(), hashlib.sha256).digest())


if __name__ == "__main__":
    if len(sys.argv) != 3 or "LIVESOUK_AUTH_KEY" not in os.environ:
        sys.exit("usage: LIVESOUK_AUTH_KEY=… python3 sign_token.py CUSTOMER_ID NAME")
    print(sign_token(sys.argv[1], sys.argv[2], os.environ["LIVESOUK_AUTH_KEY"]))
