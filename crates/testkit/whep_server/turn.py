"""A TURN server for tests (RFC 8656, UDP only, one user): it relays for clients that know the password, and counts them."""

import asyncio
import socket

from aioice import stun
from aioice.turn import make_integrity_key

REALM = "livesouk.test"
NONCE = b"nonce-of-the-tests"
LIFETIME_S = 600
CHANNELS = range(0x4000, 0x5000)


def own_address():
    """The address at which peers on this machine reach each other; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


class Relay(asyncio.DatagramProtocol):
    """The side of an allocation that faces the peer."""

    def __init__(self, server, client):
        self.server, self.client = server, client
        self.peers, self.channels = {}, {}

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        if peer in self.channels:
            head = self.channels[peer].to_bytes(2, "big") + len(data).to_bytes(2, "big")
            return self.server.transport.sendto(head + data, self.client)
        message = stun.Message(stun.Method.DATA, stun.Class.INDICATION)
        message.attributes = {"XOR-PEER-ADDRESS": peer, "DATA": data}
        self.server.transport.sendto(bytes(message), self.client)


class TurnServer(asyncio.DatagramProtocol):
    def __init__(self, user, password):
        self.user, self.key = user, make_integrity_key(user, REALM, password)
        self.relays = {}
        self.allocations = 0

    @classmethod
    async def start(cls, user, password):
        address, loop = own_address(), asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(lambda: cls(user, password), local_addr=(address, 0))
        server.transport, server.address = transport, transport.get_extra_info("sockname")[:2]
        return server

    def datagram_received(self, data, client):
        channel = int.from_bytes(data[:2], "big")
        if channel in CHANNELS:
            relay = self.relays.get(client)
            peer = relay and relay.peers.get(channel)
            if peer:
                relay.transport.sendto(data[4 : 4 + int.from_bytes(data[2:4], "big")], peer)
            return
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if message.message_class == stun.Class.INDICATION:
            relay = self.relays.get(client)
            if relay and message.message_method == stun.Method.SEND:
                relay.transport.sendto(message.attributes["DATA"], message.attributes["XOR-PEER-ADDRESS"])
        elif message.message_class == stun.Class.REQUEST:
            asyncio.ensure_future(self.answer(message, client))

    async def answer(self, message, client):
        given, method = message.attributes, message.message_method
        if method == stun.Method.BINDING:
            return self.reply(message, client, {"XOR-MAPPED-ADDRESS": client}, is_signed=False)
        if given.get("USERNAME") != self.user or not message.check_message_integrity(self.key):
            asked = {"ERROR-CODE": (401, "Unauthorized"), "REALM": REALM, "NONCE": NONCE}
            return self.reply(message, client, asked, is_signed=False, is_error=True)
        if method == stun.Method.ALLOCATE:
            if client not in self.relays:
                make = asyncio.get_running_loop().create_datagram_endpoint
                _, self.relays[client] = await make(lambda: Relay(self, client), local_addr=(self.address[0], 0))
                self.allocations += 1
            relayed = self.relays[client].transport.get_extra_info("sockname")[:2]
            granted = {"XOR-RELAYED-ADDRESS": relayed, "XOR-MAPPED-ADDRESS": client, "LIFETIME": LIFETIME_S}
            return self.reply(message, client, granted)
        if method == stun.Method.CHANNEL_BIND and client in self.relays:
            peer, channel = given["XOR-PEER-ADDRESS"], given["CHANNEL-NUMBER"]
            self.relays[client].peers[channel], self.relays[client].channels[peer] = peer, channel
        lifetime = {"LIFETIME": given.get("LIFETIME", LIFETIME_S)} if method == stun.Method.REFRESH else {}
        return self.reply(message, client, lifetime)

    def reply(self, message, client, attributes, is_signed=True, is_error=False):
        kind = stun.Class.ERROR if is_error else stun.Class.RESPONSE
        answer = stun.Message(message.message_method, kind, message.transaction_id, attributes)
        if is_signed:
            answer.add_message_integrity(self.key)
        self.transport.sendto(bytes(answer), client)
