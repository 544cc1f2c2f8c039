"""The gateway under test. Its pillars cannot be switched off: `plain` is the smallest policy that its configuration takes."""

import json
import os

from . import contract
from .machine import free_port
from .peers import Peer, extra_routes, output
from .site import AUDIENCE, INSIDE, ISSUER

SMALLEST = ("In the plain workloads the gateway runs its smallest policy: operations that need no token; contract, filter, limits, "
            "audit with intent and the signed assertion stay on. W11 needs a token. In the secured workloads every pillar is on.")


class Gateway(Peer):
    name, title = "gateway", "gateway"
    groups = ("X25519", "X25519MLKEM768")
    http3 = True

    def __init__(self, site, program):
        super().__init__(site)
        self.program = program
        self.schema = json.loads(output([program, "schema"]))
        self.known = self.schema.get("properties", {})

    def command(self, flavour, folder, port):
        self.write(flavour, folder, port)
        return [self.program, "run", os.path.join(folder, "gateway.yaml")], {
            "TOKIO_WORKER_THREADS": "1", "RUST_LOG": "error"}

    def write(self, flavour, folder, port, extra=None):
        """The configuration; JSON is YAML."""
        extra = extra_routes(flavour) if extra is None else extra
        with open(os.path.join(folder, "stand.openapi.json"), "w", encoding="utf-8") as out:
            out.write(contract.document(flavour != "secured", extra))
        config = self.config(flavour, port)
        with open(os.path.join(folder, "gateway.yaml"), "w", encoding="utf-8") as out:
            json.dump(config, out, indent=1)

    def config(self, flavour, port):
        key, secured = self.site.key, flavour == "secured"
        wide = {"rate": "1000000/s", "burst": 1000000}
        tight = {"rate": "1/h", "burst": 1}
        upstream = {"identity": {"key": {"file": key("identity.pem")}}}
        if secured:
            upstream["endpoints"] = [f"https://127.0.0.1:{self.site.mutual}"]
            upstream["tls"] = {"ca": key("inside-ca.pem"), "name": INSIDE,
                               "certificate": {"chain": key("peer.pem"), "key": key("peer.key")}}
        else:
            upstream["endpoints"] = [f"http://127.0.0.1:{self.site.plain}"]
            upstream["insecure_plaintext"] = True
        api = {"openapi": "stand.openapi.json", "upstream": "orders", "audience": AUDIENCE}
        if not secured:
            api["anonymous"] = contract.NAMES
        config = {
            "version": 1,
            "listeners": [{"address": f"127.0.0.1:{port}", "http": [1, 2, 3],
                           "tls": {"certificates": [{"chain": key("edge.pem"), "key": key("edge.key")}]}}],
            "status": {"address": f"127.0.0.1:{free_port()}"},
            "identity": {"address": f"127.0.0.1:{free_port()}"},
            "issuers": {"stand": {"issuer": ISSUER, "jwks": key("jwks.json"), "tokens": {"max_lifetime": "24h"}}},
            "apis": [api],
            "upstreams": {"orders": upstream},
            "limits": {"address": tight if flavour == "limited" else wide,
                       "tiers": {"wide": wide, "tight": tight}, "default_tier": "wide"},
            "audit": {"spool": {"directory": "spool"}, "sinks": [{"file": {"directory": "events"}}]},
        }
        if "connections" in self.schema.get("$defs", {}).get("RawLimits", {}).get("properties", {}):
            # All load comes from one address.
            config["limits"]["connections"] = {"max_per_address": 10000, "new_per_address": {"rate": "1000000/s", "burst": 1000000},
                                               "max_requests": 1000000000}
        if "workers" in self.known:
            config["workers"] = 1
        return config
