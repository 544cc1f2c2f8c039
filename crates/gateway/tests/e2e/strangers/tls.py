"""What a client may do behind or within the encrypted part of a handshake, said by tlslite: one line a case, how it ended.

Usage: tls.py PORT [PORT_OF_TLS_1_2]
"""

import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import AlertDescription, AlertLevel, ContentType, KeyUpdateMessageType
from tlslite.errors import TLSAbruptCloseError, TLSRemoteAlert
from tlslite.handshakehelpers import HandshakeHelpers
from tlslite.messages import Alert, ChangeCipherSpec, ClientHello, Finished, HelloRequest, Message

REQUEST = b"GET /api/open HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
WAIT_SECONDS = 60


def connect(port, session=None, newest=(3, 4)):
    settings = HandshakeSettings()
    settings.minVersion, settings.maxVersion = min(newest, (3, 3)), newest
    link = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
    one = TLSConnection(link)
    one.handshakeClientCert(session=session, settings=settings, serverName="localhost", alpn=[b"http/1.1"])
    return one


def all_of(generator):
    for _ in generator:
        pass


def record(one, kind, body):
    """A record as it is, encrypted; nothing looks at its length."""
    all_of(one._recordLayer.sendRecord(Message(kind, bytearray(body))))


def heard(one):
    """All that comes."""
    text = bytearray()
    while True:
        piece = one.read(max=4096, min=1)
        if not piece:
            return bytes(text)
        text += piece


def end(act):
    """How it ended."""
    try:
        text = act()
    except TLSRemoteAlert as alert:
        return "alert " + AlertDescription.toStr(alert.description)
    except (TLSAbruptCloseError, OSError):
        return "closed"
    return text.split(b"\r\n", 1)[0].decode() if text else "closed"


def asked(one, *_):
    one.write(REQUEST)
    return heard(one)


def after(port, deed, newest=(3, 4)):
    """Does something on an open connection, and asks."""
    def act():
        one = connect(port, newest=newest)
        deed(one)
        return asked(one)
    return end(act)


def key_updates(count):
    def deed(one):
        for _ in range(count):
            all_of(one.send_keyupdate_request(KeyUpdateMessageType.update_not_requested))
    return deed


def flipped(one):
    """A record that somebody has touched on the way."""
    pipe = one._recordLayer._recordSocket
    send = pipe._sockSendAll

    def touched(piece):
        piece[-1] ^= 1
        return send(piece)
    pipe._sockSendAll = touched
    record(one, ContentType.application_data, b"x")
    pipe._sockSendAll = send


def hello(one):
    return ClientHello().create((3, 3), bytearray(32), bytearray(), [0x1301], [])


def bad_finished(port):
    create = Finished.create

    def wrong(self, data):
        data = bytearray(data)
        data[0] ^= 1
        return create(self, data)
    Finished.create = wrong
    try:
        return end(lambda: asked(connect(port)))
    finally:
        Finished.create = create


def resumed(port, spoil):
    """A second connection with the ticket of the first one."""
    first = connect(port)
    asked(first)
    update = HandshakeHelpers.update_binders

    def wrong(sent, *rest, **more):
        update(sent, *rest, **more)
        sent.extensions[-1].binders[0][0] ^= 1
    if spoil:
        HandshakeHelpers.update_binders = staticmethod(wrong)
    try:
        def act():
            second = connect(port, first.session)
            assert second.resumed, "not resumed"
            return asked(second)
        return end(act)
    finally:
        HandshakeHelpers.update_binders = staticmethod(update)


def main():
    port = int(sys.argv[1])
    data, handshake = ContentType.application_data, ContentType.handshake
    deeds = {
        "nothing": lambda one: None,
        "a key update": key_updates(1),
        "32 key updates": key_updates(32),
        "an empty handshake record": lambda one: record(one, handshake, b""),
        "a warning": lambda one: all_of(one._sendMsg(Alert().create(AlertDescription.user_canceled, AlertLevel.warning))),
        "a fatal alert": lambda one: all_of(one._sendMsg(Alert().create(AlertDescription.internal_error, AlertLevel.fatal))),
        "200 key updates": key_updates(200),
        "a hello again": lambda one: all_of(one._sendMsg(hello(one))),
        "a request for a hello": lambda one: all_of(one._sendMsg(HelloRequest().create())),
        "a change of ciphers": lambda one: all_of(one._sendMsg(ChangeCipherSpec().create())),
        "a record too long": lambda one: record(one, data, b"q" * (2 ** 14 + 1)),
        "half a message, then data": lambda one: record(one, handshake, b"\x18\0"),
        "a record of a kind that is none": lambda one: record(one, 99, b"x"),
        "a touched record": flipped,
        "200 empty records": lambda one: [record(one, data, b"") for _ in range(200)],
    }
    for name, deed in deeds.items():
        print(f"{name}: {after(port, deed)}", flush=True)
    print(f"a bad Finished: {bad_finished(port)}")
    print(f"a ticket: {resumed(port, False)}")
    print(f"a bad binder: {resumed(port, True)}")
    print(f"TLS 1.2: {end(lambda: asked(connect(port, newest=(3, 3))))}")
    if len(sys.argv) > 2:
        old = int(sys.argv[2])
        print(f"TLS 1.2 where it is configured: {after(old, lambda one: None, (3, 3))}")
        print(f"a hello again in TLS 1.2: {after(old, lambda one: all_of(one._sendMsg(hello(one))), (3, 3))}")


main()
