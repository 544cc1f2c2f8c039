"""HTTP/3 requests by aioquic, honest ones and broken ones: prints what became of each, one a line.

Usage: aioquic.py PORT CA_FILE PATH_OF_A_LARGE_ANSWER
"""

import asyncio
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import StreamReset

LIMIT_SECONDS = 60


class Client(QuicConnectionProtocol):
    """One connection; each request waits for the end of its stream."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.waiting = {}

    def quic_event_received(self, event):
        if isinstance(event, StreamReset) and event.stream_id in self.waiting:
            self.end(event.stream_id, "reset")
        for said in self.http.handle_event(event):
            answer = self.waiting.get(said.stream_id)
            if answer is None:
                continue
            if isinstance(said, HeadersReceived):
                answer["status"] = dict(said.headers)[b":status"].decode()
            elif isinstance(said, DataReceived):
                answer["bytes"] += len(said.data)
            if said.stream_ended:
                self.end(said.stream_id, answer["status"])

    def end(self, stream, outcome):
        answer = self.waiting.pop(stream)
        answer["done"].set_result((outcome, answer["bytes"]))

    async def ask(self, headers, body=b""):
        stream = self._quic.get_next_available_stream_id()
        done = self._loop.create_future()
        self.waiting[stream] = {"status": "none", "bytes": 0, "done": done}
        self.http.send_headers(stream, headers, end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(done, LIMIT_SECONDS)


def head(method, path, *fields):
    return [
        (b":method", method),
        (b":scheme", b"https"),
        (b":authority", b"localhost"),
        (b":path", path),
        *fields,
    ]


JSON = (b"content-type", b"application/json")


async def honest(client, large):
    async def served(name, *request):
        status, length = await client.ask(*request)
        print(f"{name}: {status}, {length} bytes")

    await served("GET", head(b"GET", b"/api/open"))
    await served("POST", head(b"POST", b"/api/open", JSON), b"{}")
    await served("POST of 512 KiB", head(b"POST", b"/api/open", JSON), b"7" * 524288)
    await served("an answer of 2 MiB", head(b"GET", large.encode()))
    all_of_them = [client.ask(head(b"GET", b"/api/open")) for _ in range(10)]
    answers = await asyncio.gather(*all_of_them)
    statuses = {status for status, _ in answers}
    print(f"ten at once: {' '.join(statuses)}, {sum(length for _, length in answers)} bytes")


def broken():
    no_path = [field for field in head(b"GET", b"/") if field[0] != b":path"]
    twice = head(b"GET", b"/api/open")
    twice.insert(4, (b":path", b"/admin/s"))
    return [
        ("closed", head(b"GET", b"/admin/s"), b""),
        ("undeclared", head(b"GET", b"/nowhere"), b""),
        ("dots in the path", head(b"GET", b"/api/../admin/s"), b""),
        ("upper case in a name", head(b"GET", b"/api/open", (b"X-A", b"b")), b""),
        ("an odd name", head(b"GET", b"/api/open", (b"x_user", b"b")), b""),
        ("transfer-encoding", head(b"GET", b"/api/open", (b"transfer-encoding", b"chunked")), b""),
        ("two paths", twice, b""),
        ("no path", no_path, b""),
        ("NUL in a value", head(b"GET", b"/api/open", (b"x-a", b"b\0c")), b""),
        (
            "length and body differ",
            head(b"POST", b"/api/open", JSON, (b"content-length", b"9")),
            b"{}",
        ),
        ("a body that is too large", head(b"POST", b"/api/open", JSON), b"7" * 3145728),
    ]


async def main(port, ca, large):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="localhost")
    configuration.load_verify_locations(ca)
    where = {"configuration": configuration, "create_protocol": Client}
    async with connect("127.0.0.1", int(port), **where) as client:
        await honest(client, large)
        for name, headers, body in broken():
            status, _ = await client.ask(headers, body)
            print(f"{name}: {status}")
        status, length = await client.ask(head(b"GET", b"/api/open"))
        print(f"GET afterwards: {status}, {length} bytes")


asyncio.run(main(*sys.argv[1:]))
