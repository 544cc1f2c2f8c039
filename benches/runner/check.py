"""Correctness, before anything is timed: a peer that answers wrongly is not a peer."""

from .machine import Failed
from .workloads import CONNECTIONS

CHECKED = "/orders/check"


def one(site, running, expect, **load):
    """One request; the status must be as expected."""
    row = site.load(running.port, running.processes, requests=1, **load)
    if row["statuses"] != {str(expect): 1}:
        raise Failed(f"{running.peer.name}: expected {expect}, got {row['statuses'] or row['failures']}")


def reaches(site, running, what, **load):
    """One request that must arrive at the upstream, which must have seen its path."""
    before = site.seen()["requests"]
    one(site, running, 200, paths=[CHECKED], **load)
    seen = site.seen()
    last = seen["last"] or {}
    if seen["requests"] != before + 1 or last.get("path") != CHECKED:
        raise Failed(f"{running.peer.name}: {what}: the upstream did not see {CHECKED}")
    return last


def stopped(site, running, expect, what, **load):
    """One request that must not arrive there."""
    before = site.seen()["requests"]
    one(site, running, expect, paths=[CHECKED], **load)
    if site.seen()["requests"] != before:
        raise Failed(f"{running.peer.name}: {what}: the request reached the upstream")


def plain(site, running, relays):
    """All protocols it has."""
    reaches(site, running, "h1")
    if not relays:
        reaches(site, running, "h2", protocol="h2")
        if running.peer.http3:
            reaches(site, running, "h3", protocol="h3")
    body = site.bodies["1k"]
    one(site, running, 200, method="POST", paths=["/orders"], body=body)


def secured(site, running):
    """With a token, without, with a forged one; and the service knows who calls."""
    for name in ("rs256", "es256"):
        last = reaches(site, running, name, tokens=site.key(f"{name}.one"))
        stopped(site, running, 401, "forged " + name, tokens=site.key(f"{name}.forged"))
    stopped(site, running, 401, "no token")
    if running.peer.name == "gateway" and not any("assertion" in header or header == "authorization"
                                                   for header in last["headers"]):
        raise Failed(f"gateway: no signed identity reached the service: {last['headers']}")


def limited(site, running):
    """The second round is over the limit, on any connection."""
    row = site.load(running.port, running.processes, requests=200, connections=CONNECTIONS)
    if row["statuses"].get("429", 0) < 150:
        raise Failed(f"{running.peer.name}: expected 429, got {row['statuses']}")
