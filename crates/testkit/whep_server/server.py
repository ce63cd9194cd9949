"""A media server for tests: it gives a moving picture by WHEP to viewers whom the shop allows, as MediaMTX would.

Arguments: the port, and the address of the shop. `PUT /mode` with `live` or `down` starts and ends its service; `down` also ends the
sessions; `sound` goes on with the sound alone. `GET /sessions` is the number of sessions.

`PUT /ice` with `on` makes its answers name a TURN server, with a user and a password, that runs beside it; `GET /ice` is how often
somebody with that password made it relay.
"""

import asyncio
import fractions
import secrets
import sys
import uuid

import numpy
from aiohttp import ClientSession, ClientTimeout, web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame, VideoFrame

from turn import TurnServer

PORT, SHOP = int(sys.argv[1]), sys.argv[2]
FRAMES_A_SECOND, CLOCK = 10, 90_000
SAMPLES_A_SECOND, SAMPLES = 48_000, 960
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-allow-methods": "POST, DELETE",
    "access-control-expose-headers": "location, link",
}


class Tone(MediaStreamTrack):
    """A sound that never stops."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.number = 0

    async def recv(self):
        await asyncio.sleep(SAMPLES / SAMPLES_A_SECOND)
        wave = numpy.sin(numpy.arange(SAMPLES) / 17) * 3_000
        frame = AudioFrame.from_ndarray(wave.astype(numpy.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLES_A_SECOND
        frame.pts, frame.time_base = self.number * SAMPLES, fractions.Fraction(1, SAMPLES_A_SECOND)
        self.number += 1
        return frame


class Picture(MediaStreamTrack):
    """A bar that moves over an upright picture."""

    kind = "video"

    def __init__(self, server):
        super().__init__()
        self.server, self.number = server, 0

    async def recv(self):
        while self.server.mode == "sound":
            await asyncio.sleep(0.1)
        await asyncio.sleep(1 / FRAMES_A_SECOND)
        pixels = numpy.full((320, 180, 3), 60, numpy.uint8)
        top = self.number * 8 % 320
        pixels[top : top + 16] = 230
        frame = VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = self.number * CLOCK // FRAMES_A_SECOND, fractions.Fraction(1, CLOCK)
        self.number += 1
        return frame


class Server:
    def __init__(self):
        self.sessions = {}
        self.mode = "down"
        self.turn = None

    async def set_ice(self, request):
        # Signs that an address may have, and that end a quoted text when it is not read well.
        self.user, self.password = 'user, "7"', secrets.token_hex(8)
        self.turn = await TurnServer.start(self.user, self.password) if await request.text() == "on" else None
        return web.Response()

    async def relayed(self, _request):
        return web.json_response(self.turn.allocations if self.turn else 0)

    def link(self):
        if not self.turn:
            return {}
        host, port = self.turn.address
        user = self.user.replace('"', '\\"')
        address = f"turn:{host}:{port}?transport=udp"
        return {"link": f'<{address}>; rel="ice-server"; username="{user}"; credential="{self.password}"'}

    async def is_allowed(self, request):
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        question = {"action": "read", "protocol": "webrtc", "path": request.match_info["show"], "ip": request.remote}
        question["token"] = token if kind.lower() == "bearer" else ""
        async with ClientSession(timeout=ClientTimeout(total=5)) as http:
            async with http.post(f"{SHOP}/v1/media/mediamtx", json=question) as answer:
                return answer.status == 204

    async def begin(self, request):
        if self.mode == "down":
            return web.Response(status=503, headers=CORS)
        if not await self.is_allowed(request):
            return web.Response(status=401, headers=CORS)
        peer, name = RTCPeerConnection(), uuid.uuid4().hex
        self.sessions[name] = peer
        peer.addTrack(Picture(self))
        peer.addTrack(Tone())
        await peer.setRemoteDescription(RTCSessionDescription(sdp=await request.text(), type="offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {**CORS, "location": f"/sessions/{name}", **self.link()}
        return web.Response(
            status=201, text=peer.localDescription.sdp, content_type="application/sdp", headers=headers
        )

    async def end(self, request):
        peer = self.sessions.pop(request.match_info["name"], None)
        if peer:
            await peer.close()
        return web.Response(status=200 if peer else 404, headers=CORS)

    async def set_mode(self, request):
        self.mode = await request.text()
        if self.mode == "down":
            peers, self.sessions = list(self.sessions.values()), {}
            await asyncio.gather(*(peer.close() for peer in peers))
        return web.Response()

    async def count(self, _request):
        return web.json_response(len(self.sessions))


async def preflight(_request):
    return web.Response(status=204, headers=CORS)


def main():
    server, app = Server(), web.Application()
    app.add_routes(
        [
            web.post("/{show}/whep", server.begin),
            web.delete("/sessions/{name}", server.end),
            web.put("/mode", server.set_mode),
            web.get("/sessions", server.count),
            web.put("/ice", server.set_ice),
            web.get("/ice", server.relayed),
            web.options("/{path:.*}", preflight),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=PORT, print=None)


main()
