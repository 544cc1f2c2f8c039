"""What a run stands on: cores, processes that are started and stopped, free ports, what machine this is."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import time

CORES = sorted(os.sched_getaffinity(0))
PEER_CORE = CORES[0]
LOAD_CORE = CORES[1] if len(CORES) > 1 else CORES[0]
START_SECONDS = 60
STOP_SECONDS = 10
# 10,000 connections on both sides of a relay, and room.
FILES_WANTED = 40_000


class Failed(Exception):
    """A part did not do what it must; the text says which."""


def free_port():
    """A port that is free for TCP and UDP now; the peers cannot take port 0."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def pinned(core):
    """For `preexec_fn`: this core alone, and as many files as the machine gives."""
    def prepare():
        os.sched_setaffinity(0, {core})
        raise_files()
    return prepare


def raise_files():
    """As many open files as this user may have; some may have more than the shell gave."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(hard, FILES_WANTED), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
        except (ValueError, OSError):
            continue
    return hard


class Process:
    """One started process. Its output goes to files in `folder`."""

    def __init__(self, name, command, folder, core, environment=None, cwd=None):
        self.name = name
        self.log = os.path.join(folder, name + ".log")
        self.out = os.path.join(folder, name + ".out")
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, cwd=cwd,
                env={**os.environ, **(environment or {})}, preexec_fn=pinned(core))

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def complain(self, what):
        with open(self.log, errors="replace") as log:
            tail = "".join(log.readlines()[-12:])
        with open(self.out, errors="replace") as out:
            tail += "".join(out.readlines()[-3:])
        return Failed(f"{self.name}: {what}\n{tail}")

    def first_line(self):
        """The first line of its output, as JSON."""
        for _ in patience(START_SECONDS):
            with open(self.out, encoding="utf-8") as out:
                line = out.readline()
            if line.endswith("\n"):
                return json.loads(line)
            if not self.alive():
                raise self.complain("ended at its start")
        raise self.complain("said nothing")

    def answers(self, port):
        """Waits until the port takes connections."""
        for _ in patience(START_SECONDS):
            if not self.alive():
                raise self.complain("ended at its start")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                continue
        raise self.complain("does not listen")

    def stop(self):
        """Ends it, softly, then not."""
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def hang_up(self):
        self.child.send_signal(signal.SIGHUP)


def patience(seconds):
    """Rounds of a wait for a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


def load_average():
    return os.getloadavg()[0]


def describe():
    """The machine, without names and places."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as info:
        memory = int(re.search(r"MemTotal:\s+(\d+)", info.read()).group(1)) // (1024 * 1024)
    system = os.uname()
    return {"cpu": model, "cores": len(CORES), "memory_gib": memory,
            "kernel": f"{system.sysname} {system.release.split('-')[0]}", "architecture": system.machine}
