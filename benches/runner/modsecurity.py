"""The attack filter beside ModSecurity with the OWASP CRS: the same texts to both, as strings of JSON.

ModSecurity's verdict is the status: 403 is refused, whatever else is not (the file behind it takes no POST).
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

MODULES = "/usr/lib/apache2/modules"
RULES = "/usr/share/modsecurity-crs"
LEVELS = (1, 2)
# Seconds that Apache has to read its rules.
START_LIMIT = 60
TEXT = "Please leave it with Mr Brien at no. 12 (rear door), he is home until 5, thank you and bye. "
# What a request of ours costs, by the names of the cores in benches/src/lib.rs.
COSTS = {
    "GET, a value of 200 characters": ("validate/filter_get_200", 20_000),
    "JSON, 96 fields": ("validate/filter_96_fields", 5_000),
    "JSON, 768 fields": ("validate/filter_768_fields", 800),
    "JSON, one text of 64 KB": ("validate/filter_worst_64k", 100),
}


def configuration(folder, port, level):
    recommended = pathlib.Path("/etc/modsecurity/modsecurity.conf-recommended").read_text()
    recommended = recommended.replace("SecRuleEngine DetectionOnly", "SecRuleEngine On")
    recommended = recommended.replace("SecAuditEngine RelevantOnly", "SecAuditEngine Off")
    recommended = recommended.replace("/var/log/apache2", str(folder))
    # Its limit for bodies without files would refuse the largest text of this run by its size.
    recommended = recommended.replace("SecRequestBodyNoFilesLimit 131072", "SecRequestBodyNoFilesLimit 1048576")
    recommended = recommended.replace("unicode.mapping", "/etc/modsecurity/unicode.mapping")
    (folder / "modsecurity.conf").write_text(recommended)
    modules = {
        "mpm_prefork": "mod_mpm_prefork.so",
        "authz_core": "mod_authz_core.so",
        "unique_id": "mod_unique_id.so",
        "security2": "mod_security2.so",
    }
    load = "\n".join(f"LoadModule {name}_module {MODULES}/{file}" for name, file in modules.items())
    (folder / "htdocs").mkdir(exist_ok=True)
    (folder / "htdocs" / "index.html").write_text("here\n")
    text = f"""
ServerRoot "{folder}"
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
LogLevel crit
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
LimitRequestLine 100000
{load}
DocumentRoot "{folder}/htdocs"
<Directory "{folder}/htdocs">
  Require all granted
</Directory>
Include {folder}/modsecurity.conf
SecDataDir {folder}
SecTmpDir {folder}
Include /etc/modsecurity/crs/crs-setup.conf
SecAction "id:900000,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level={level}"
Include {RULES}/rules/*.conf
"""
    path = folder / "apache.conf"
    path.write_text(text)
    return path


class ModSecurity:
    """One Apache, one process, one connection."""

    def __init__(self, folder, level):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        folder.mkdir()
        path = configuration(folder, self.port, level)
        program = ["/usr/sbin/apache2", "-X", "-f", str(path)]
        self.process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + START_LIMIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"apache did not start: {self.process.communicate()[1].decode()}")
                time.sleep(0.05)
        self.connection = None

    def ask(self, target, body=None):
        for attempt in range(2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                fields = {"user-agent": "Mozilla/5.0", "accept": "*/*"}
                if body is None:
                    self.connection.request("GET", target, headers=fields)
                else:
                    fields["content-type"] = "application/json"
                    self.connection.request("POST", target, body=body, headers=fields)
                answer = self.connection.getresponse()
                answer.read()
                return answer.status
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt:
                    raise

    def refuses(self, text):
        body = json.dumps({"text": text}).encode("utf-8", "replace")
        return self.ask("/index.html", body) == 403

    def cpu_seconds(self):
        words = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def cost(self, target, body, times):
        self.ask(target, body)
        before = self.cpu_seconds()
        for _ in range(times):
            self.ask(target, body)
        return (self.cpu_seconds() - before) / times * 1e6

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def fields(count):
    """Texts of 14 characters, as benches/src/filter.rs has them."""
    return json.dumps({f"f{n}": TEXT[n * 7 % 60:][:14] for n in range(count)}).encode()


def our_cost(cores, name, runs):
    def seconds(count):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([cores, name, str(count)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # What is made once is in both.
    return (seconds(runs) - seconds(0)) / runs * 1e6


def chosen(path, most):
    groups = collections.defaultdict(list)
    for line in path.open():
        row = json.loads(line)
        # What is sent as a whole request has no like on the other side.
        if not row["category"].startswith("structure"):
            groups[(not row["attack"], row["category"])].append(row)
    for key in sorted(groups):
        rows = groups[key]
        step = max(1, -(-len(rows) // most))
        yield key, rows[::step]


def share(part, whole):
    return f"{100 * part / max(1, whole):7.1f} %"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=300)
    parser.add_argument("--cores", required=True)
    parser.add_argument("folder", type=pathlib.Path)
    given = parser.parse_args()
    peers = [ModSecurity(given.folder / f"level{level}", level) for level in LEVELS]
    try:
        if not all(peer.refuses("1' or '1'='1' -- ") for peer in peers):
            raise SystemExit("ModSecurity does not filter here")
        if any(peer.refuses("plain") for peer in peers):
            raise SystemExit("ModSecurity refuses a plain word")
        print(f"{'refused':34} {'texts':>6} {'ours':>9} {'CRS PL1':>9} {'CRS PL2':>9}")
        whole = collections.defaultdict(lambda: [0, 0, 0, 0])
        for (harmless, category), rows in chosen(given.folder / "verdicts.jsonl", given.most):
            found = [sum(row["rule"] is not None for row in rows)]
            found += [sum(peer.refuses(row["payload"]) for row in rows) for peer in peers]
            kind = "harmless" if harmless else "attack"
            shares = " ".join(share(one, len(rows)) for one in found)
            print(f"{kind + ' ' + category:34} {len(rows):6} {shares}", flush=True)
            whole[kind] = [a + b for a, b in zip(whole[kind], [len(rows), *found])]
        for kind, (count, *found) in whole.items():
            print(f"{kind + ' together':34} {count:6} " + " ".join(share(one, count) for one in found))
        print(f"\n{'CPU us a request':34} {'ours':>10} {'CRS PL1':>10} {'CRS PL2':>10}")
        query = "/index.html?note=" + (TEXT * 3)[:200].replace(" ", "%20")
        bodies = [None, fields(96), fields(768), json.dumps({"t": (TEXT * 800)[:65_000]}).encode()]
        for (name, (core, runs)), body, times in zip(COSTS.items(), bodies, (200, 20, 5, 20)):
            target = query if body is None else "/index.html"
            costs = [our_cost(given.cores, core, runs)] + [peer.cost(target, body, times) for peer in peers]
            print(f"{name:34} " + " ".join(f"{cost:10.1f}" for cost in costs), flush=True)
        print("Ours: contract and filter, in a loop. Theirs: the whole server, which answers with a small file.")
    finally:
        for peer in peers:
            peer.end()


if __name__ == "__main__":
    main()
