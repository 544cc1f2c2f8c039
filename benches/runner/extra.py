"""Workloads that are not a row: W9 (tail latency), W10 (a reload under load) and W12 (good clients beside attacks)."""

import json
import os
import signal
import time

from . import attacks, report
from .gateway import Gateway
from .machine import Failed, patience
from .run import say
from .workloads import CONNECTIONS

LOAD_SHARE = 0.7
TAIL_PEERS = ("floor", "nginx", "haproxy", "envoy", "caddy", "gateway")
OPERATIONS = 1000
RELOAD_SECONDS = 20


def run(runner, wanted):
    further = {}
    if not wanted or "W9" in wanted:
        further["tails"] = tails(runner)
    if not wanted or "W10" in wanted:
        further["reloads"] = reloads(runner)
    if not wanted or "W12" in wanted:
        further["attacks"] = attacks.run(runner)
    return further


def tails(runner):
    """Each peer at 70 % of what it did in a closed loop a moment ago, and all of them at 70 % of the slowest's."""
    say("-- W9 tail latency at 70 % load")
    site, plan, found = runner.site, runner.plan, {}
    group = type("Group", (), {"flavour": "plain"})
    rates = {}
    names = [name for name in TAIL_PEERS if name in runner.peers]
    closed = {"connections": CONNECTIONS, "warm_ms": plan.warm_ms, "window_ms": plan.window_ms}
    running = {name: started for name in names if (started := runner.start(group, name, []))}
    try:
        for name, one in running.items():
            row = site.load(one.port, one.processes, **closed)
            rates[name] = row["requests"] * 1000 / row["window_ms"]
        for name, one in running.items():
            paced = {**closed, "mode": "paced", "window_ms": plan.window_ms * 3}
            own = site.load(one.port, one.processes, rate=rates[name] * LOAD_SHARE, **paced)
            same = site.load(one.port, one.processes, rate=min(rates.values()) * LOAD_SHARE, **paced)
            found[name] = {"closed_per_second": rates[name], "own": own, "same": same}
    finally:
        for one in running.values():
            one.stop()
    return found


def reloads(runner):
    """A new policy of 1,000 operations while requests run: none may fail."""
    say("-- W10 reload under load")
    found = {}
    for name in ("nginx", "gateway"):
        if name not in runner.peers:
            continue
        flavour = "plain" if name == "nginx" else "secured"
        group = type("Group", (), {"flavour": flavour})
        running = runner.start(group, name, [])
        if running is None:
            continue
        try:
            found[name] = reload(runner, running, flavour)
        except Failed as failed:
            say(f"   W10 {name}: {failed}")
        finally:
            running.stop()
    return found


def reload(runner, running, flavour):
    site, peer = runner.site, running.peer
    folder = peer.folder(flavour)
    load = {"connections": CONNECTIONS, "warm_ms": 500, "window_ms": 6000}
    if flavour == "secured":
        load["tokens"] = site.key("rs256.one")
    quiet = site.load(running.port, running.processes, **load)
    enlarge(peer, flavour, folder, running.port)
    wait = site.start_load(running.port, running.processes, **load)
    time.sleep(1.5)    # the load's own warm-up: the reload must fall into its window
    began = time.monotonic()
    running.process.child.send_signal(signal.SIGHUP)
    took = None
    new = {"paths": [f"/things/{OPERATIONS - 1}/parts/a1"], "requests": 1}
    if flavour == "secured":
        new["tokens"] = site.key("rs256.one")
        for _ in patience(RELOAD_SECONDS):
            if site.load(running.port, running.processes, **new)["statuses"] == {"200": 1}:
                took = time.monotonic() - began
                break
    during = wait()
    return {"quiet": quiet, "during": during, "seconds_until_new": took}


def enlarge(peer, flavour, folder, port):
    """Rewrites the configuration of a running peer with 1,000 operations more."""
    if isinstance(peer, Gateway):
        with open(os.path.join(folder, "gateway.yaml"), encoding="utf-8") as file:
            config = file.read()
        peer.write(flavour, folder, port, extra=OPERATIONS)
        # Ports of the inner listeners are chosen anew by `write`, and may not change at a reload.
        with open(os.path.join(folder, "gateway.yaml"), "w", encoding="utf-8") as file:
            file.write(json.dumps(json.loads(config), indent=1))
    else:
        peer.command(f"routes:{OPERATIONS}", folder, port)


def show(further, titles):
    parts = []
    tails_found = further.get("tails") or {}
    if tails_found:
        lines = []
        for name, row in tails_found.items():
            own, same = row["own"]["latency_us"], row["same"]["latency_us"]
            lines.append([titles.get(name, name), f"{row['closed_per_second']:.0f}",
                          *(f"{own[key]:.0f}" for key in ("p50", "p99", "p999")),
                          *(f"{same[key]:.0f}" for key in ("p50", "p99", "p999"))])
        parts.append("W9 latency in us of h1 GET 1 KB, open loop, at 70 % of the peer's own closed loop and at 70 % of "
                     "the slowest's:\n\n" + report.table(
                         ["", "closed loop/s", "own p50", "p99", "p99.9", "same p50", "p99", "p99.9"], lines))
    reloads_found = further.get("reloads") or {}
    if reloads_found:
        lines = []
        for name, row in reloads_found.items():
            during, quiet = row["during"], row["quiet"]
            took = row["seconds_until_new"]
            lines.append([titles.get(name, name), str(during["requests"]), str(during["failed"]),
                          str(during["retried"]), " ".join(sorted(during["statuses"])),
                          f"{quiet['latency_us']['p999']:.0f}", f"{during['latency_us']['p999']:.0f}",
                          "-" if took is None else f"{took:.1f} s"])
        parts.append(f"W10 reload to {OPERATIONS:,} more operations under load (nginx: plain; gateway: secured; no API keys, "
                     "which do not exist yet):\n\n" + report.table(
                         ["", "requests", "failed", "retried", "statuses", "p99.9 quiet us", "p99.9 us",
                          "new policy after"], lines))
    parts += attacks.show(further.get("attacks"), titles)
    return parts
