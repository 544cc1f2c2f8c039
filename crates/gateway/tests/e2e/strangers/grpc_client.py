"""Calls by grpcio: prints what became of each, one a line.

Usage: grpc_client.py PORT CA_FILE TOKEN
"""

import sys

import grpc

LIMIT_SECONDS = 60


def told(error):
    return f"{error.code().name}: {error.details()}"


def main():
    port, ca, token = sys.argv[1:]
    with open(ca, "rb") as file:
        credentials = grpc.ssl_channel_credentials(root_certificates=file.read())
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        raw = {"request_serializer": bytes, "response_deserializer": bytes}
        bearer = {"metadata": [("authorization", f"Bearer {token}")], "timeout": LIMIT_SECONDS}
        unary = channel.unary_unary("/chat/shop.Chat/Say", **raw)
        print("one:", unary(b"hello", **bearer).decode())
        both = channel.stream_stream("/chat/shop.Chat/Talk", **raw)
        answers = both(iter([b"a", b"b", b"c" * 100_000]), **bearer)
        print("many:", [len(answer) for answer in answers])
        print("trailer:", dict(answers.trailing_metadata())["x-bytes"])
        try:
            unary(b"hello", timeout=LIMIT_SECONDS)
        except grpc.RpcError as error:
            print("no token:", told(error))
        nowhere = channel.unary_unary("/nowhere/shop.Chat/Say", **raw)
        try:
            nowhere(b"hello", **bearer)
        except grpc.RpcError as error:
            print("undeclared:", told(error))


main()
