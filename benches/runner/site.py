"""One run's folder: keys, tokens, bodies, the service behind every peer, and how the load is started."""

import json
import os
import subprocess

from .machine import LOAD_CORE, Failed, Process, pinned, raise_files

HOST = "api.stand.test"
INSIDE = "orders.inside.test"
ISSUER = "https://issuer.stand.test"
AUDIENCE = "https://api.stand.test"
SCOPE = "read:orders"
SCOPES = "read:orders write:orders"
LOAD_SECONDS = 180


class Site:
    """Everything that all peers share."""

    def __init__(self, folder, program, parts, tokens_many):
        self.folder = folder
        self.program = program
        self.parts = parts
        self.files = raise_files()
        spec = {"directory": self.path("keys"), "host": HOST, "inside": INSIDE,
                "tokens": {"issuer": ISSUER, "audience": AUDIENCE, "scope": SCOPES, "many": tokens_many}}
        subprocess.run([program, "keys", json.dumps(spec)], check=True)
        self.bodies = {name: self.write(name + ".json", order(size))
                       for name, size in (("1k", 1024), ("16k", 16 * 1024))}
        # One byte short of the largest body the gateway takes by default, so that the megabyte is a round one for all.
        self.bodies["1m"] = self.write("1m.bin", "b" * 1_000_000)
        self.upstream = Process("upstream", [program, "upstream", json.dumps(
            {"credential": self.credential("service"), "clients": self.key("inside-ca.pem")})],
            folder, LOAD_CORE)
        ports = self.upstream.first_line()
        self.plain, self.mutual = ports["plain"], ports["mutual"]

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def key(self, name):
        return self.path("keys", name)

    def credential(self, name):
        return {"chain": self.key(name + ".pem"), "key": self.key(name + ".key")}

    def program_of(self, name):
        """A peer that came from the Python package index."""
        return os.path.join(self.parts, name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def load(self, port, processes, **what):
        """One measurement; its row."""
        groups, resume = what.pop("groups", ["X25519"]), what.pop("resume", False)
        spec = {"target": f"127.0.0.1:{port}", "method": "GET", "protocol": "h1", "connections": 1,
                "paths": ["/orders/1"], "processes": processes,
                "tls": {"trust": self.key("outside-ca.pem"), "name": HOST, "groups": groups, "resume": resume}}
        spec.update(what)
        done = subprocess.run([self.program, "load", json.dumps(spec)], capture_output=True, text=True,
                              timeout=LOAD_SECONDS, preexec_fn=pinned(LOAD_CORE), check=False)
        if done.returncode != 0:
            raise Failed(done.stderr.strip())
        return json.loads(done.stdout)

    def start_load(self, port, processes, **what):
        """The same beside something else: a function that waits for the row."""
        spec = {"target": f"127.0.0.1:{port}", "method": "GET", "protocol": "h1", "connections": 1,
                "paths": ["/orders/1"], "processes": processes,
                "tls": {"trust": self.key("outside-ca.pem"), "name": HOST, "groups": ["X25519"]}}
        spec.update(what)
        child = subprocess.Popen([self.program, "load", json.dumps(spec)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, preexec_fn=pinned(LOAD_CORE))

        def wait():
            out, errors = child.communicate(timeout=LOAD_SECONDS)
            if child.returncode != 0:
                raise Failed(errors.strip())
            return json.loads(out)
        return wait

    def seen(self):
        """What the upstream saw last on a path that asks to be looked at."""
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=10)
        connection.request("GET", "/_stand/seen")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def close(self):
        self.upstream.stop()


def order(size):
    """An order of about `size` bytes that fits the contract in `contract.py`."""
    item = {"sku": "AB-1000", "quantity": 2, "price": 12.5, "note": "leave it at the door"}
    whole = {"reference": "r-1", "customer": {"name": "Jane Doe", "street": "Main Street 1", "city": "Springfield",
                                              "country": "US"}, "items": []}
    while len(json.dumps(whole)) + len(json.dumps(item)) + 2 <= size:
        whole["items"].append({**item, "sku": f"AB-{1000 + len(whole['items'])}"})
    whole["reference"] += "0" * (size - len(json.dumps(whole)))
    return json.dumps(whole)
