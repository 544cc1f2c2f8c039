"""W12: good clients on HTTP/1.1 in an open loop, alone and beside each attack; every peer is attacked in the same way."""

import json
import os
import statistics
import subprocess
import sys
import time

from . import report
from .machine import LOAD_CORE, STOP_SECONDS, Failed, pinned
from .run import say
from .site import HOST

PEERS = ("nginx", "envoy", "gateway")
ATTACKS = ("h2 rapid reset", "h2 MadeYouReset", "h2 PING", "h2 SETTINGS", "h2 CONTINUATION", "h2 HPACK bombs", "h2 zero windows",
           "h1 slow heads", "h1 slow bodies", "h1 slow readers", "handshakes")
NONE = "none"
ROUNDS = 3
# Far below what any of them can do.
GOOD = {"connections": 8, "mode": "paced", "rate": 400, "warm_ms": 500}
WINDOW_MS = 1500
# The good clients come first where both want the core.
NICE = 5


def run(runner):
    """Rows by attack and peer, one for each round."""
    say("-- W12 good clients beside attacks")
    names = [name for name in PEERS if name in runner.peers]
    group = type("Group", (), {"flavour": "plain"})
    found = {}
    running = {name: started for name in names if (started := runner.start(group, name, []))}
    try:
        for number in range(ROUNDS):
            for attack in (NONE, *ATTACKS):
                for name, one in running.items():
                    row = beside(runner.site, one, attack)
                    found.setdefault(attack, {}).setdefault(name, []).append(row)
            say(f"   W12 round {number + 1} of {ROUNDS}")
    finally:
        for one in running.values():
            one.stop()
    return found


def beside(site, running, attack):
    attacker = None
    if attack != NONE:
        pin = pinned(LOAD_CORE)

        def prepare():
            pin()
            os.nice(NICE)
        attacker = subprocess.Popen(
            [sys.executable, "-m", "runner.attacker", attack, str(running.port), HOST], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, preexec_fn=prepare,
            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    try:
        row = site.load(running.port, running.processes, window_ms=WINDOW_MS, **GOOD)
        row = {"p99": row["latency_us"]["p99"], "requests": row["requests"], "failed": row["failed"]}
    except Failed as failed:
        say(f"   W12 {attack}, {running.peer.name}: {failed}")
        row = {"p99": None, "requests": 0, "failed": 0}
    finally:
        said = end(attacker) if attacker else {}
    return {**row, **said}


def end(attacker):
    """Ends it; what it counted."""
    attacker.terminate()
    try:
        said, _ = attacker.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        attacker.kill()
        attacker.communicate()
        return {}
    # What it left has to be over before the next one comes.
    time.sleep(0.2)
    return json.loads(said) if said.strip() else {}


def median(rows):
    known = [row["p99"] for row in rows if row["p99"] is not None]
    return statistics.median(known) if known else None


def show(found, titles):
    if not found:
        return []
    names = list(found[NONE])
    quiet = {name: median(found[NONE][name]) for name in names}

    def cell(attack, name):
        rows = found[attack].get(name, [])
        now, before = median(rows), quiet[name]
        if now is None or not before:
            return "-"
        failed = sum(row["failed"] for row in rows)
        return f"{now / 1000:.1f} ms, {now / before:.1f} x" + (f", {failed} failed" if failed else "")
    lines = [[attack, *(cell(attack, name) for name in names)] for attack in found]
    return ["W12 p99 of good clients (h1 GET 1 KB, 400 a second in an open loop) beside an attack from another address, and how many "
            "times that is of the p99 without one; median of three rounds:\n\n"
            + report.table(["attack", *(titles.get(name, name) for name in names)], lines)]
