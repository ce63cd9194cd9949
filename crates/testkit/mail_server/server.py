"""A real mail server for the tests: aiosmtpd on a free port.

It prints its port, then writes each message that it takes into the folder that it was given: `N.json`, read by Python's own e-mail
package. What it does with a mail is in the file `mode` of that folder, read for each mail:

accept    takes it
refuse    refuses the recipient permanently (550)
greylist  tells the first attempt for each recipient to come back later (451)
busy      takes no mail from anybody now (421 at the sender)
drop      takes the whole mail, keeps it, and cuts the connection instead of confirming it
hang      answers nothing after the greeting
hang-data takes the whole mail, keeps it, and never answers
"""

import asyncio
import json
import pathlib
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder = pathlib.Path(sys.argv[1])
options = dict(option.split("=", 1) for option in sys.argv[2:])
user, password = options.get("user"), options.get("password")
is_wrapped = options.get("tls") == "wrapped"
seen, count = set(), 0


def mode():
    return (folder / "mode").read_text().strip()


def decoded(message):
    """The message as a program would show it."""
    parts = [part for part in message.walk() if not part.is_multipart()]
    return {
        "headers": {name.lower(): str(value) for name, value in message.items()},
        "header_names": [name.lower() for name in message.keys()],
        "content_type": message.get_content_type(),
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
        "parts": [
            {
                "type": part.get_content_type(),
                "charset": part.get_content_charset(),
                "encoding": str(part["content-transfer-encoding"]),
                "text": part.get_content(),
            }
            for part in parts
        ],
    }


def keep(session, envelope):
    global count
    count += 1
    raw = envelope.original_content or envelope.content
    kept = decoded(message_from_bytes(raw, policy=policy.default))
    kept |= {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "tls": session.ssl is not None or is_wrapped,
        "user": session.auth_data.login.decode() if session.authenticated else None,
        "is_ascii": raw.isascii(),
        "longest_line": max(len(line) for line in raw.split(b"\r\n")),
    }
    file = folder / f"{count}.json"
    file.with_suffix(".new").write_text(json.dumps(kept))
    file.with_suffix(".new").rename(file)


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        (folder / "greeted").touch()
        if mode() == "hang":
            await asyncio.Event().wait()
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if mode() == "busy":
            return "421 too busy"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if mode() == "refuse":
            return "550 5.1.1 no such user here"
        if mode() == "greylist" and address not in seen:
            seen.add(address)
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        keep(session, envelope)
        if mode() == "drop":
            server.transport.abort()
        if mode() == "hang-data":
            await asyncio.Event().wait()
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data == LoginPassword(user.encode(), password.encode())
    return AuthResult(success=good, handled=good, auth_data=data if good else None)


async def main():
    tls = None
    if "certificate" in options:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options["certificate"], options["key"])

    def protocol():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=None if is_wrapped else tls,
            authenticator=authenticate if user else None,
            auth_required=bool(user),
            auth_require_tls=False,
        )

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", int(options.get("port", 0)), ssl=tls if is_wrapped else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
