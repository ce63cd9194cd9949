"""A media server for tests: it gives a moving picture by WHEP to viewers whom the shop allows, as MediaMTX would.

Arguments: the port, and the address of the shop. `PUT /mode` with `live` or `down` starts and ends its service; `down` also ends the
sessions. `GET /sessions` is the number of sessions.
"""

import asyncio
import fractions
import sys
import uuid

import numpy
from aiohttp import ClientSession, ClientTimeout, web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from av import VideoFrame

PORT, SHOP = int(sys.argv[1]), sys.argv[2]
FRAMES_A_SECOND, CLOCK = 10, 90_000
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-allow-methods": "POST, DELETE",
    "access-control-expose-headers": "location",
}


class Picture(MediaStreamTrack):
    """A bar that moves over an upright picture."""

    kind = "video"

    def __init__(self):
        super().__init__()
        self.number = 0

    async def recv(self):
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
        self.is_live = False

    async def is_allowed(self, request):
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        question = {"action": "read", "protocol": "webrtc", "path": request.match_info["show"], "ip": request.remote}
        question["token"] = token if kind.lower() == "bearer" else ""
        async with ClientSession(timeout=ClientTimeout(total=5)) as http:
            async with http.post(f"{SHOP}/v1/media/mediamtx", json=question) as answer:
                return answer.status == 204

    async def begin(self, request):
        if not self.is_live:
            return web.Response(status=503, headers=CORS)
        if not await self.is_allowed(request):
            return web.Response(status=401, headers=CORS)
        peer, name = RTCPeerConnection(), uuid.uuid4().hex
        self.sessions[name] = peer
        peer.addTrack(Picture())
        await peer.setRemoteDescription(RTCSessionDescription(sdp=await request.text(), type="offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {**CORS, "location": f"/sessions/{name}"}
        return web.Response(
            status=201, text=peer.localDescription.sdp, content_type="application/sdp", headers=headers
        )

    async def end(self, request):
        peer = self.sessions.pop(request.match_info["name"], None)
        if peer:
            await peer.close()
        return web.Response(status=200 if peer else 404, headers=CORS)

    async def set_mode(self, request):
        self.is_live = await request.text() == "live"
        if not self.is_live:
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
            web.options("/{path:.*}", preflight),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=PORT, print=None)


main()
