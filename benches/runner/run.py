"""The rounds: peers start, are checked, and are measured row by row in an order that is shuffled each time."""

import random
import sys

from . import check
from .machine import Failed, load_average

# Open files that are not connections of a memory workload.
FILES_BESIDES = 300


class Plan:
    """How long and how often."""

    def __init__(self, quick):
        self.quick = quick
        self.rounds = 2 if quick else 5
        self.warm_ms = 150 if quick else 500
        self.window_ms = 600 if quick else 2500
        self.counted = 10_000    # as many as there are tokens


class Results:
    """Raw rows, and reasons where there is none."""

    def __init__(self):
        self.rows = []
        self.reasons = {}

    def add(self, round_number, row, peer, measured):
        self.rows.append({"round": round_number, "workload": row.name, "peer": peer,
                          "load_average": load_average(), **measured})

    def refuse(self, row_name, peer, reason):
        self.reasons.setdefault((row_name, peer), reason)

    def of(self, row_name, peer):
        return [row for row in self.rows if row["workload"] == row_name and row["peer"] == peer]


def say(text):
    print(text, file=sys.stderr, flush=True)


def reason_against(row, peer):
    """Why a peer does not do a row; None where it does."""
    files = row.load["connections"] * peer.files_each if row.unit == "memory" else 0
    if files + FILES_BESIDES > peer.site.files:
        return f"needs {files:,} open files, and this machine gives {peer.site.files:,}"
    if peer.name in row.only:
        return row.only[peer.name]
    if row.needs == "h3" and not peer.http3:
        return "no HTTP/3 in this build"
    if row.needs and row.needs != "h3" and row.needs not in peer.groups:
        return f"no {row.needs}"
    return None


class Runner:
    def __init__(self, site, peers, plan, results):
        self.site, self.peers, self.plan, self.results = site, peers, plan, results
        self.random = random.Random(4)

    def group(self, group, rows, round_number):
        """One round of a group."""
        if group.fresh:
            for row in rows:
                self.flock(group, [row], round_number, together=False)
        else:
            self.flock(group, rows, round_number, together=True)

    def flock(self, group, rows, round_number, together):
        names = [name for name in group.peers if name in self.peers]
        self.random.shuffle(names)
        if not together:
            for name in names:
                started = self.start(group, name, rows)
                if started:
                    self.rows(rows, [started], round_number)
                    started.stop()
            return
        running = [started for name in names if (started := self.start(group, name, rows))]
        try:
            self.rows(rows, running, round_number)
        finally:
            for one in running:
                one.stop()

    def start(self, group, name, rows):
        """A started and checked peer; None, with the reason kept, where there is none."""
        peer = self.peers[name]
        reason = peer.refuses(group.flavour)
        running = None
        if reason is None:
            try:
                running = peer.start(group.flavour)
                self.check(group, running)
                return running
            except Failed as failed:
                say(f"   {failed}")
                reason = "failed: " + str(failed).splitlines()[0]
                if running:
                    running.stop()
        for row in rows:
            self.results.refuse(row.name, name, reason)
        return None

    def check(self, group, running):
        if group.flavour == "secured":
            check.secured(self.site, running)
        elif group.flavour == "limited":
            check.limited(self.site, running)
        elif group.flavour == "plain":
            check.plain(self.site, running, relays=running.peer.name == "wire")

    def rows(self, rows, running, round_number):
        for row in rows:
            order = running[:]
            self.random.shuffle(order)
            for peer in order:
                self.row(row, peer, round_number)

    def row(self, row, running, round_number):
        name = running.peer.name
        reason = reason_against(row, running.peer)
        if reason is not None:
            self.results.refuse(row.name, name, reason)
            return
        try:
            if row.seen:
                shown = {**row.load, "tokens": self.site.key(row.tokens), "requests": self.plan.counted}
                self.site.load(running.port, running.processes, **shown)
            measured = self.site.load(running.port, running.processes, **self.spec(row))
        except Failed as failed:
            say(f"   {row.name} {name}: {failed}")
            self.results.refuse(row.name, name, "failed: " + str(failed).splitlines()[0])
            return
        wrong = wrongness(row, measured)
        if wrong:
            say(f"   {row.name} {name}: {wrong}")
            self.results.refuse(row.name, name, "failed: " + wrong)
            return
        self.results.add(round_number, row, name, measured)

    def spec(self, row):
        plan, load = self.plan, dict(row.load)
        if row.counted:
            load["requests"] = plan.counted
        elif row.unit != "memory":
            load["warm_ms"] = plan.warm_ms
            load["window_ms"] = plan.window_ms * (2 if row.heavy and plan.quick else 1)
        if row.tokens:
            load["tokens"] = self.site.key(row.tokens)
        if row.body:
            load["body"] = self.site.bodies[row.body]
        return load


def wrongness(row, measured):
    """What makes a measurement void."""
    if row.unit == "memory":
        return None
    if measured["failed"]:
        return f"{measured['failed']} requests failed: {measured['failures']}"
    if not measured["requests"]:
        return "no request was answered"
    others = {status: count for status, count in measured["statuses"].items() if status != str(row.expect)}
    if others:
        return f"expected {row.expect} only, got {measured['statuses']}"
    if row.load.get("resume") and measured["resumed"] < measured["opened"] * 0.9:
        return f"only {measured['resumed']} of {measured['opened']} handshakes were resumed"
    return None
