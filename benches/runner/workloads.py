"""What is measured: groups of rows that run against the same flavour of the peers, and the goals."""

from dataclasses import dataclass, field

CONNECTIONS = 32
CLASSICAL, HYBRID = "X25519", "X25519MLKEM768"
# Percent-encoded: ' OR '1'='1' --
INJECTION = "/orders?search=%27%20OR%20%271%27%3D%271%27%20--%20"


@dataclass
class Row:
    """One workload."""

    key: str                                     # W1, W4, ...
    name: str                                    # unique
    title: str
    load: dict = field(default_factory=dict)
    expect: int = 200
    needs: str = ""                              # "h3", or a key exchange group
    body: str = ""
    tokens: str = ""
    counted: bool = False                        # a number of requests instead of a window
    seen: bool = False                           # all tokens are shown once before the warm-up
    heavy: bool = False                          # few requests per second: a longer window
    slow: bool = False                           # left out where it must be quick
    only: dict = field(default_factory=dict)     # reasons by peer
    unit: str = "cpu"                            # cpu | memory | latency


@dataclass
class Group:
    flavour: str
    peers: tuple
    rows: list
    fresh: bool = False                          # each row on newly started peers
    once: bool = False                           # in the first round only, where it must be quick


PLAIN = ("wire", "floor", "nginx", "haproxy", "envoy", "caddy", "gateway")
SECURED = ("floor", "floor-known", "haproxy", "envoy", "envoy-known", "gateway")
H1 = {"protocol": "h1", "connections": CONNECTIONS}
H2 = {"protocol": "h2", "connections": 4, "streams": 8}
H3 = {"protocol": "h3", "connections": 4, "streams": 8}
SHAKE = {"mode": "handshakes", "protocol": "h1", "connections": 8}
NO_HYBRID = {"nginx": "its OpenSSL 3.0 has no ML-KEM", "haproxy": "its OpenSSL 3.0 has no ML-KEM"}
BYTES_ONLY = {"wire": "relays bytes"}
NO_FILTER = {name: "has no filter" for name in ("floor", "floor-known", "haproxy", "envoy", "envoy-known")}


def post(size):
    return {"protocol": "h1", "connections": CONNECTIONS if size != "1m" else 4, "method": "POST",
            "paths": ["/orders" if size != "1m" else "/big"],
            "headers": [] if size != "1m" else [["content-type", "application/octet-stream"]]}


def plain():
    rows = [
        Row("W1", "w1", "h1 GET 1 KB", H1),
        Row("W2", "w2", "h2 GET 1 KB", H2, only=BYTES_ONLY),
        Row("W4", "w4", "full handshake + GET, X25519", {**SHAKE, "groups": [CLASSICAL]}, heavy=True),
        Row("W4", "w4pq", "full handshake + GET, X25519MLKEM768", {**SHAKE, "groups": [HYBRID]}, heavy=True,
            needs=HYBRID, only=NO_HYBRID),
        Row("W4", "w4resumed", "resumed handshake + GET, X25519", {**SHAKE, "groups": [CLASSICAL], "resume": True},
            heavy=True),
        Row("W5", "w5", "h3 GET 1 KB", H3, needs="h3", only=BYTES_ONLY),
        Row("W6", "w6k1", "POST JSON 1 KB", post("1k"), body="1k"),
        Row("W6", "w6k16", "POST JSON 16 KB", post("16k"), body="16k"),
        Row("W6", "w6up", "POST 1 MB", post("1m"), body="1m", heavy=True),
        Row("W6", "w6down", "GET 1 MB", {"protocol": "h1", "connections": 4, "paths": ["/big"]}, heavy=True),
    ]
    return Group("plain", PLAIN, rows)


def idle():
    rows = [Row("W7", f"w7n{count}", f"memory per idle connection, {count:,}",
                {"mode": "idle", "protocol": "h1", "connections": count, "warm_ms": 300},
                unit="memory", slow=count > 2000)
            for count in (2000, 10000)]
    return Group("plain", PLAIN, rows, fresh=True, once=True)


def secured():
    rows = []
    for name, title in (("rs256", "RS256"), ("es256", "ES256")):
        # First, while nobody has seen a token yet.
        rows.append(Row("W3", f"w3{name}first", f"{title}, first sight of each token", H1, tokens=f"{name}.many",
                        counted=True))
        rows.append(Row("W3", f"w3{name}one", f"{title}, one token", H1, tokens=f"{name}.one"))
        rows.append(Row("W3", f"w3{name}many", f"{title}, 10,000 tokens", H1, tokens=f"{name}.many", seen=True))
    rows.append(Row("W3", "w3h2", "RS256, one token, h2", H2, tokens="rs256.one"))
    rows += [
        Row("W8", "w8none", "refusal: no token", H1, expect=401),
        Row("W8", "w8forged", "refusal: forged token", H1, expect=401, tokens="rs256.forged"),
        Row("W8", "w8attack", "refusal: injection in the query", {**H1, "paths": [INJECTION]}, expect=403,
            tokens="rs256.one", only=NO_FILTER),
        Row("W8", "w8tight", "refusal: client over its limit", H1, expect=429, tokens="rs256.tight",
            only={name: "one limit for all clients here" for name in NO_FILTER}),
    ]
    return Group("secured", SECURED, rows)


def limited():
    rows = [Row("W8", "w8limit", "refusal: address over its limit", H1, expect=429)]
    return Group("limited", ("nginx", "haproxy", "envoy", "gateway"), rows)


ROUTE_COUNTS = (1, 100, 10_000)


def growth():
    """One group per number of routes."""
    groups = []
    for count in ROUTE_COUNTS:
        paths = [f"/things/{number}/parts/a1" for number in range(0, count, max(1, count // 100))]
        row = Row("W11", f"w11n{count}", f"h1 GET, {count:,} routes", {**H1, "paths": paths}, tokens="rs256.one")
        groups.append(Group(f"routes:{count}", ("nginx", "haproxy", "envoy", "caddy", "gateway"), [row],
                            once=True))
    return groups


def groups():
    return [plain(), secured(), limited(), idle(), *growth()]


@dataclass
class Goal:
    """A row of the gateway against a row of a peer (or of itself), as issue 4 has it."""

    row: str
    factor: float
    peer: str
    against: str = ""       # the other row; default: the same
    plus: str = ""          # a price of `stand prices` that comes on top


GOALS = [
    Goal("w1", 1.0, "nginx"), Goal("w1", 0.4, "envoy"), Goal("w1", 1.25, "floor"),
    Goal("w2", 1.25, "nginx"), Goal("w2", 0.45, "envoy"),
    Goal("w3rs256one", 1.25, "nginx", "w1", plus="ed25519_sign"), Goal("w3rs256one", 0.5, "envoy-known"),
    Goal("w3es256many", 1.25, "nginx", "w1", plus="ed25519_sign"), Goal("w3es256many", 0.5, "envoy-known"),
    Goal("w4", 0.65, "nginx"), Goal("w4", 1.1, "floor"), Goal("w4pq", 1.3, "gateway", "w4"),
    Goal("w5", 0.3, "caddy"), Goal("w5", 0.3, "envoy"), Goal("w5", 1.5, "gateway", "w1"),
    Goal("w6k1", 1.3, "nginx"), Goal("w6k16", 1.7, "nginx"), Goal("w6up", 1.0, "nginx"), Goal("w6down", 1.0, "nginx"),
    Goal("w8none", 0.5, "gateway", "w3rs256one"), Goal("w8forged", 0.5, "gateway", "w3rs256one"),
    Goal("w8attack", 0.5, "gateway", "w3rs256one"), Goal("w8tight", 0.25, "gateway", "w3rs256one"),
    Goal("w8limit", 0.25, "gateway", "w3rs256one"),
    Goal("w11n10000", 1.1, "gateway", "w11n1"),
]
FIRST_SIGHT = [("w3rs256first", "w3rs256one", "rs256_verify"), ("w3es256first", "w3es256one", "es256_verify")]
FIRST_SIGHT_US = 10.0
IDLE_KB = 20.0
