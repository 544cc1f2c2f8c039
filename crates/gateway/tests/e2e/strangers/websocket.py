"""A WebSocket service and its client, both by the library websockets.

Usage: websocket.py serve PORT CERTIFICATE KEY CA_FILE     sends back what it gets, until it gets "bye"
       websocket.py ask PORT CA_FILE TOKEN                 prints what became of each try, one a line
"""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus


async def echo(socket):
    async for message in socket:
        if message == "bye":
            await socket.close(1000, "bye")
            return
        await socket.send(message)


async def run(port, certificate, key, ca):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    async with serve(echo, "127.0.0.1", int(port), ssl=context, subprotocols=["chat"], max_size=None):
        await asyncio.get_running_loop().create_future()


async def ask(port, ca, token):
    context = ssl.create_default_context(cafile=ca)
    uri = f"wss://localhost:{port}"
    bearer = {"Authorization": f"Bearer {token}"}
    options = {"ssl": context, "subprotocols": ["chat"], "max_size": None, "proxy": None}
    async with connect(f"{uri}/live/talk", additional_headers=bearer, **options) as socket:
        print("protocol:", socket.subprotocol)
        for message in ["hello", b"\x00\x01", "x" * 1_000_000]:
            await socket.send(message)
            print("same:", await socket.recv() == message)
        await (await socket.ping())
        print("ping: answered")
        await socket.send("bye")
        await socket.wait_closed()
        print("closed:", socket.close_code, socket.close_reason)
    for what, path, headers in [
        ("no token", "/live/talk", {}),
        ("not opened here", "/news/talk", bearer),
    ]:
        try:
            async with connect(f"{uri}{path}", additional_headers=headers, **options):
                print(f"{what}: opened")
        except InvalidStatus as error:
            print(f"{what}: {error.response.status_code}")


asyncio.run({"serve": run, "ask": ask}[sys.argv[1]](*sys.argv[2:]))
