"""One end of a call with aiortc: a JSON request per line on standard input, a JSON answer per line on standard output.

    {"do": "offer"}                            returns an offer with video and a tone
    {"do": "take", "type": "offer", "sdp": …}  sets a description; returns the answer to an offer, else null
    {"do": "candidate", "candidate": …}        adds a candidate
    {"do": "report"}                           returns what was received: pictures, their size, seconds of sound, its frequency
"""

import asyncio
import fractions
import json
import math
import sys

import aioice.ice
import av
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp

WIDTH, HEIGHT = 320, 180
TONE_HZ = 523
RATE = 48_000
BLOCK = 960

# Only this machine: no packet of the test leaves it.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Picture(VideoStreamTrack):
    """A changing grey at 30 frames per second."""

    number = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for index, plane in enumerate(frame.planes):
            value = 128 if index else 16 + self.number * 3 % 200
            plane.update(bytes([value]) * plane.buffer_size)
        self.number += 1
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    """A sine, in blocks of 20 ms."""

    sample = 0
    start = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.start = self.start or loop.time()
        await asyncio.sleep(max(0, self.start + self.sample / RATE - loop.time()))
        step = math.tau * TONE_HZ / RATE
        values = (round(12_000 * math.sin(step * n)) for n in range(self.sample, self.sample + BLOCK))
        frame = av.AudioFrame(format="s16", layout="mono", samples=BLOCK)
        frame.planes[0].update(b"".join(value.to_bytes(2, sys.byteorder, signed=True) for value in values))
        frame.pts, frame.sample_rate, frame.time_base = self.sample, RATE, fractions.Fraction(1, RATE)
        self.sample += BLOCK
        return frame


class End:
    def __init__(self):
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.on("track", self.watch)
        self.pictures, self.size, self.samples = 0, None, 0
        self.heard = []
        self.tasks = set()

    def watch(self, track):
        task = asyncio.ensure_future(self.receive(track))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def receive(self, track):
        try:
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    self.pictures += 1
                    self.size = [frame.width, frame.height]
                else:
                    self.samples += frame.samples
                    self.listen(frame)
        except MediaStreamError:
            pass

    def listen(self, frame):
        """Keeps the newest half second, of one channel."""
        channels = len(frame.layout.channels)
        data = bytes(frame.planes[0])[: frame.samples * channels * 2]
        values = memoryview(data).cast("h")[::channels]
        self.heard = (self.heard + values.tolist())[-RATE // 2 :]

    def hz(self):
        rises = [n for n in range(1, len(self.heard)) if self.heard[n - 1] < 0 <= self.heard[n]]
        return (len(rises) - 1) * RATE / (rises[-1] - rises[0]) if len(rises) > 2 else 0

    async def offer(self, _):
        self.connection.addTrack(Tone())
        self.connection.addTrack(Picture())
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def take(self, order):
        await self.connection.setRemoteDescription(RTCSessionDescription(order["sdp"], order["type"]))
        if order["type"] != "offer":
            return None
        self.connection.addTrack(Tone())
        self.connection.addTrack(Picture())
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def candidate(self, order):
        candidate = candidate_from_sdp(order["candidate"].removeprefix("candidate:"))
        candidate.sdpMid, candidate.sdpMLineIndex = order["mid"], order["index"]
        await self.connection.addIceCandidate(candidate)

    async def report(self, _):
        return {
            "state": self.connection.connectionState,
            "pictures": self.pictures,
            "size": self.size,
            "seconds": self.samples / RATE,
            "hz": self.hz(),
        }


async def main():
    end = End()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        try:
            answer = {"ok": await getattr(end, order["do"])(order)}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)
    await end.connection.close()


asyncio.run(main())
