"""The peers: how each is configured for a flavour of work, and what it cannot do.

A flavour is `plain` (TLS in, HTTP/1.1 with kept connections out, no log), `secured` (a token for each request, one scope, a
limit that never refuses, an access log, mutual TLS to the service), `limited` (a limit that always refuses) or
`routes:N` (plain, among N routes).
"""

import json
import os
import subprocess

from .machine import PEER_CORE, Process, free_port
from .site import AUDIENCE, HOST, INSIDE, ISSUER, SCOPE


class Running:
    """A started peer."""

    def __init__(self, peer, process, port):
        self.peer, self.process, self.port = peer, process, port

    @property
    def processes(self):
        return [self.process.pid]

    def stop(self):
        self.process.stop()


class Peer:
    """What the peers have in common: nothing is possible until it is said how."""

    name = ""
    title = ""
    groups = ("X25519",)
    http3 = False
    files_each = 1               # open files for each idle connection
    cannot = {}

    def __init__(self, site):
        self.site = site

    def refuses(self, flavour):
        """Why it has no part in a flavour; None where it has."""
        return self.cannot.get(flavour.split(":")[0])

    def folder(self, flavour):
        path = self.site.path("peers", f"{self.name}-{flavour.replace(':', '-')}")
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, flavour):
        folder = self.folder(flavour)
        port = free_port()
        command, environment = self.command(flavour, folder, port)
        process = Process(self.name, command, folder, PEER_CORE, environment, cwd=folder)
        process.answers(port)
        return Running(self, process, port)

    def command(self, flavour, folder, port):
        raise NotImplementedError

    def version(self):
        return ""


def output(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


class Part(Peer):
    """A part of our own binary: it chooses its port itself."""

    part = ""

    def start(self, flavour):
        spec = self.spec(flavour, self.folder(flavour))
        process = Process(self.name, [self.site.program, self.part, json.dumps(spec)],
                          self.folder(flavour), PEER_CORE)
        return Running(self, process, process.first_line()["port"])

    def spec(self, flavour, folder):
        raise NotImplementedError


class Wire(Part):
    name, title, part = "wire", "wire", "wire"
    files_each = 2
    groups = ("X25519", "X25519MLKEM768")
    cannot = {"secured": "relays bytes", "limited": "relays bytes", "routes": "relays bytes"}

    def spec(self, flavour, folder):
        return {"credential": self.site.credential("edge"), "upstream": f"127.0.0.1:{self.site.plain}"}


class Floor(Part):
    name, title, part = "floor", "floor", "floor"
    groups = ("X25519", "X25519MLKEM768")
    http3 = True
    remember = False
    cannot = {"limited": "has no limits", "routes": "has no routes"}

    def spec(self, flavour, folder):
        site = self.site
        spec = {"credential": site.credential("edge"), "upstream": f"127.0.0.1:{site.plain}", "http3": True}
        if flavour == "secured":
            spec["upstream"] = f"127.0.0.1:{site.mutual}"
            spec["upstream_tls"] = {"trust": site.key("inside-ca.pem"), "name": INSIDE,
                                    "credential": site.credential("peer")}
            spec["token"] = {"jwks": site.key("jwks.json"), "audience": AUDIENCE, "scope": SCOPE,
                             "remember": self.remember}
            spec["log"] = os.path.join(folder, "access.log")
        return spec


class FloorKnown(Floor):
    name, title, remember = "floor-known", "floor, remembers", True


class Nginx(Peer):
    name, title = "nginx", "nginx"
    cannot = {"secured": "checks no tokens (only its commercial edition does)"}

    def command(self, flavour, folder, port):
        site = self.site
        limit = limit_zone = ""
        if flavour == "limited":
            limit_zone = "limit_req_zone $binary_remote_addr zone=one:10m rate=1r/m; limit_req_status 429;"
            limit = "limit_req zone=one;"
        routes = "".join(
            f"    location /things/{number}/parts/ {{ proxy_pass http://service; }}\n"
            for number in range(extra_routes(flavour)))
        text = f"""
user root; worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
worker_rlimit_nofile {site.files};
events {{ worker_connections {min(site.files, 20000)}; }}
http {{
  access_log off; server_tokens off; tcp_nodelay on; {limit_zone}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_timeout 3600s; keepalive_requests 1000000000; client_max_body_size 8m;
  upstream service {{ server 127.0.0.1:{site.plain}; keepalive 256; keepalive_requests 1000000000; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_request_buffering off; proxy_max_temp_file_size 0;
  server {{
    listen 127.0.0.1:{port} ssl http2 backlog=4096; server_name {HOST};
    ssl_certificate {site.key("edge.pem")}; ssl_certificate_key {site.key("edge.key")};
    ssl_protocols TLSv1.3; ssl_ecdh_curve X25519; ssl_session_cache shared:tls:10m; ssl_session_tickets on;
    location / {{ {limit} proxy_pass http://service; }}
{routes}  }}
}}
"""
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return ["nginx", "-p", folder, "-c", path], {}

    def version(self):
        return output(["nginx", "-v"]).split("/")[-1]


class Haproxy(Peer):
    name, title = "haproxy", "HAProxy"

    def command(self, flavour, folder, port):
        site = self.site
        checks, log, log_lines, server = "", "", "", f"server s 127.0.0.1:{site.plain}"
        if flavour == "secured":
            checks, log = self.token_checks(), "log stdout len 4096 format raw local0"
            log_lines = "log global\n  option httplog"
            server = (f"server s 127.0.0.1:{site.mutual} ssl crt {site.key('peer.both')} "
                      f"ca-file {site.key('inside-ca.pem')} verify required sni str({INSIDE}) verifyhost {INSIDE}")
        elif flavour == "limited":
            checks = ("  stick-table type ip size 100k expire 10m store http_req_cnt\n"
                      "  http-request track-sc0 src\n"
                      "  http-request deny deny_status 429 if { sc_http_req_cnt(0) gt 1 }\n")
        backends = "  default_backend service\n"
        if extra_routes(flavour):
            lines = "".join(f"/things/{number}/parts/ service\n" for number in range(extra_routes(flavour)))
            routes = os.path.join(folder, "routes.map")
            with open(routes, "w", encoding="utf-8") as out:
                out.write(lines + "/orders service\n")
            backends = f"  use_backend %[path,map_beg({routes},none)]\n"
        text = f"""
global
  nbthread 1
  no strict-limits
  maxconn {min(site.files - 500, 12000)}
  {log}
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 60s
  timeout http-keep-alive 3600s
  option http-keep-alive
  http-reuse always
  {log_lines}
frontend outside
  bind 127.0.0.1:{port} ssl crt {site.key("edge.both")} alpn h2,http/1.1 ssl-min-ver TLSv1.3 curves X25519 backlog 4096
{checks}{backends}
backend service
  {server}
backend none
  http-request deny deny_status 404
"""
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return ["haproxy", "-db", "-f", path], {}

    def token_checks(self):
        key = self.site.key
        return f"""  stick-table type string len 64 size 1m expire 10m store http_req_rate(10s)
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 ES256 }}
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.scope) var(txn.bearer),jwt_payload_query('$.scope')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless {{ var(txn.iss) -m str {ISSUER} }} {{ var(txn.aud) -m str {AUDIENCE} }}
  http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
  http-request deny deny_status 401 if {{ var(txn.alg) -m str RS256 }} !{{ var(txn.bearer),jwt_verify(txn.alg,"{key('rs256.pub.pem')}") 1 }}
  http-request deny deny_status 401 if {{ var(txn.alg) -m str ES256 }} !{{ var(txn.bearer),jwt_verify(txn.alg,"{key('es256.pub.pem')}") 1 }}
  http-request deny deny_status 403 unless {{ var(txn.scope) -m sub {SCOPE} }}
  http-request track-sc0 var(txn.bearer),jwt_payload_query('$.sub')
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1000000000 }}
"""

    def version(self):
        return output(["haproxy", "-v"]).split()[2].split("-")[0]


class Caddy(Peer):
    name, title = "caddy", "Caddy"
    groups = ("X25519", "X25519MLKEM768")
    http3 = True
    cannot = {"secured": "checks no tokens without plugins", "limited": "has no limits without plugins"}

    def command(self, flavour, folder, port):
        site = self.site
        # One proxy for all: each `reverse_proxy` of Caddy has connections of its own.
        known = " ".join(f"/things/{number}/parts/*" for number in range(extra_routes(flavour)))
        matcher, use = (f"  @known path /orders* {known}\n", " @known") if known else ("", "")
        text = f"""{{
  admin off
  auto_https off
  log {{
    level ERROR
  }}
  servers {{
    protocols h1 h2 h3
    timeouts {{
      idle 1h
    }}
  }}
}}
https://{HOST}:{port} {{
  bind 127.0.0.1
  tls {site.key("edge.pem")} {site.key("edge.key")} {{
    protocols tls1.3
    curves x25519mlkem768 x25519
  }}
{matcher}  handle{use} {{
    reverse_proxy 127.0.0.1:{site.plain} {{
      transport http {{
        keepalive_idle_conns_per_host 256
      }}
    }}
  }}
}}
"""
        path = os.path.join(folder, "Caddyfile")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        places = {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder, "HOME": folder, "GOMAXPROCS": "1"}
        return [self.site.program_of("caddy"), "run", "--config", path], places

    def version(self):
        return output([self.site.program_of("caddy"), "version"]).split()[0].lstrip("v")


def extra_routes(flavour):
    """The N of `routes:N`."""
    kind, _, count = flavour.partition(":")
    return int(count) if kind == "routes" else 0
