"""Envoy: one worker (`--concurrency 1`), configured by one JSON file."""

import json
import os

from .machine import free_port
from .peers import Peer, extra_routes, output
from .site import AUDIENCE, HOST, INSIDE, ISSUER, SCOPE

API = "type.googleapis.com/envoy."
FILTERS = API + "extensions.filters.http."
SOCKETS = API + "extensions.transport_sockets."
HTTP = API + "extensions.upstreams.http.v3.HttpProtocolOptions"
NEVER = "3600s"
TLS13 = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


def address(port, protocol="TCP"):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port, "protocol": protocol}}


class Envoy(Peer):
    name, title = "envoy", "Envoy"
    groups = ("X25519", "X25519MLKEM768")
    http3 = True
    cache = False

    def command(self, flavour, folder, port):
        listeners = [self.listener(flavour, folder, port, quic=False)]
        if flavour == "plain":
            listeners.append(self.listener(flavour, folder, port, quic=True))
        config = {"static_resources": {"listeners": listeners, "clusters": [self.cluster(flavour)]}}
        path = os.path.join(folder, "envoy.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(config, out, indent=1)
        return [self.site.program_of("envoy"), "-c", path, "--concurrency", "1", "--base-id",
                str(free_port()), "--log-level", "error"], {}

    def tls(self):
        site = self.site
        return {"tls_params": {**TLS13, "ecdh_curves": list(reversed(self.groups))},
                "tls_certificates": [{"certificate_chain": {"filename": site.key("edge.pem")},
                                      "private_key": {"filename": site.key("edge.key")}}]}

    def listener(self, flavour, folder, port, quic):
        manager = {"@type": API + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                   "stat_prefix": "s", "codec_type": "HTTP3" if quic else "AUTO",
                   "common_http_protocol_options": {"idle_timeout": NEVER},
                   "http_filters": self.filters(flavour), "route_config": self.routes(flavour)}
        if flavour == "secured":
            manager["access_log"] = [{"name": "file", "typed_config": {
                "@type": API + "extensions.access_loggers.file.v3.FileAccessLog",
                "path": os.path.join(folder, "access.log")}}]
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        if quic:
            chain["transport_socket"] = {"name": "quic", "typed_config": {
                "@type": SOCKETS + "quic.v3.QuicDownstreamTransport",
                "downstream_tls_context": {"common_tls_context": {**self.tls(), "alpn_protocols": ["h3"]}}}}
            return {"name": "quic", "address": address(port, "UDP"), "filter_chains": [chain],
                    "udp_listener_config": {"quic_options": {}}}
        chain["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": SOCKETS + "tls.v3.DownstreamTlsContext",
            "common_tls_context": {**self.tls(), "alpn_protocols": ["h2", "http/1.1"]}}}
        return {"name": "tcp", "address": address(port), "filter_chains": [chain], "tcp_backlog_size": 4096}

    def routes(self, flavour):
        service = {"cluster": "service", "timeout": "60s"}
        routes = [{"match": {"prefix": f"/things/{number}/parts/"}, "route": service}
                  for number in range(extra_routes(flavour))]
        routes.append({"match": {"prefix": "/"}, "route": service})
        return {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}

    def filters(self, flavour):
        filters = []
        if flavour == "secured":
            filters += [{"name": "jwt", "typed_config": self.tokens()},
                        {"name": "scope", "typed_config": self.scopes()},
                        {"name": "limit", "typed_config": self.limit(1_000_000_000)}]
        elif flavour == "limited":
            filters.append({"name": "limit", "typed_config": self.limit(1)})
        filters.append({"name": "router", "typed_config": {"@type": FILTERS + "router.v3.Router"}})
        return filters

    def tokens(self):
        provider = {"issuer": ISSUER, "audiences": [AUDIENCE], "payload_in_metadata": "token",
                    "local_jwks": {"filename": self.site.key("jwks.json")}}
        if self.cache:
            provider["jwt_cache_config"] = {"jwt_cache_size": 20000}
        return {"@type": FILTERS + "jwt_authn.v3.JwtAuthentication", "providers": {"stand": provider},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "stand"}}]}

    def scopes(self):
        scoped = {"metadata": {"filter": "envoy.filters.http.jwt_authn", "path": [{"key": "token"}, {"key": "scope"}],
                               "value": {"string_match": {"contains": SCOPE}}}}
        return {"@type": FILTERS + "rbac.v3.RBAC", "rules": {"action": "ALLOW", "policies": {
            "scope": {"permissions": [{"any": True}], "principals": [scoped]}}}}

    def limit(self, tokens):
        share = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        return {"@type": FILTERS + "local_ratelimit.v3.LocalRateLimit", "stat_prefix": "l",
                "token_bucket": {"max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": "3600s"},
                "filter_enabled": share, "filter_enforced": share}

    def cluster(self, flavour):
        site = self.site
        port = site.mutual if flavour == "secured" else site.plain
        endpoint = {"endpoint": {"address": address(port)}}
        cluster = {"name": "service", "type": "STATIC", "connect_timeout": "5s",
                   "load_assignment": {"cluster_name": "service", "endpoints": [{"lb_endpoints": [endpoint]}]}}
        if flavour == "secured":
            mine = {"certificate_chain": {"filename": site.key("peer.pem")},
                    "private_key": {"filename": site.key("peer.key")}}
            names = [{"san_type": "DNS", "matcher": {"exact": INSIDE}}]
            trust = {"trusted_ca": {"filename": site.key("inside-ca.pem")}, "match_typed_subject_alt_names": names}
            cluster["transport_socket"] = {"name": "tls", "typed_config": {
                "@type": SOCKETS + "tls.v3.UpstreamTlsContext", "sni": INSIDE,
                "common_tls_context": {"tls_certificates": [mine], "validation_context": trust,
                                       "tls_params": TLS13}}}
        return cluster

    def version(self):
        text = output([self.site.program_of("envoy"), "--version"])
        return text.split("version:")[1].split("/")[1] if "version:" in text else ""


class EnvoyKnown(Envoy):
    name, title, cache = "envoy-known", "Envoy, remembers", True
    cannot = {"plain": "", "limited": "", "routes": ""}
