"""`./benches/compare`: the gateway beside its peers, one workload after the other. `--help` tells the options."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from . import documents, extra, picture, report
from .envoy import Envoy, EnvoyKnown
from .figures import Figures
from .gateway import SMALLEST, Gateway
from .machine import PEER_CORE, Failed, describe, load_average, pinned
from .peers import Caddy, Floor, FloorKnown, Haproxy, Nginx, Wire
from .run import Plan, Results, Runner, say
from .site import Site
from .workloads import groups

TOKENS_MANY = 10000


def arguments():
    parser = argparse.ArgumentParser(prog="benches/compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds: about 13 minutes")
    parser.add_argument("--only", default="", help="workloads, such as W1,W3, or rows of them, such as w3h2; default: all")
    parser.add_argument("--peers", default="", help="peers, such as nginx,envoy; default: all")
    parser.add_argument("--rounds", type=int, help="another number of rounds")
    parser.add_argument("--no-gateway", action="store_true", help="the peers and the floors alone")
    parser.add_argument("--out", help="the folder of the raw rows; default: below the cache folder")
    parser.add_argument("--svg", help="write the picture to this file")
    parser.add_argument("--docs", action="store_true", help="rewrite the figures in docs/performance.md")
    for name in ("stand", "gateway", "parts", "tree", "results"):
        parser.add_argument("--" + name, help=argparse.SUPPRESS)
    return parser.parse_args()


def peers(site, options):
    """Those that were asked for, by name, in the order of the tables."""
    found = [Wire(site), Floor(site), FloorKnown(site), Nginx(site), Haproxy(site), Envoy(site), EnvoyKnown(site),
             Caddy(site)]
    if options.gateway:
        found.append(Gateway(site, options.gateway))
    wanted = [name for name in options.peers.split(",") if name]
    if wanted:
        found = [peer for peer in found if peer.name == "gateway" or any(peer.name.startswith(one) for one in wanted)]
    return {peer.name: peer for peer in found}


def chosen(options):
    """Groups with the rows that were asked for."""
    wanted = {key.strip().upper() for key in options.only.split(",") if key.strip()}
    pairs = [(group, [row for row in group.rows
                      if (not wanted or wanted & {row.key, row.name.upper()}) and not (options.quick and row.slow)]) for group in groups()]
    return wanted, [(group, rows) for group, rows in pairs if rows]


def prices(site):
    done = subprocess.run([site.program, "prices", "{}"], capture_output=True, text=True, check=True,
                          preexec_fn=pinned(PEER_CORE))
    return json.loads(done.stdout)


def measure(site, options, out):
    plan, results = Plan(options.quick), Results()
    if options.rounds:
        plan.rounds = options.rounds
    all_peers = peers(site, options)
    wanted, pairs = chosen(options)
    runner = Runner(site, all_peers, plan, results)
    loads, began = [load_average()], time.monotonic()
    for number in range(plan.rounds):
        for group, rows in pairs:
            if number > 0 and options.quick and group.once:
                continue
            say(f"-- round {number + 1} of {plan.rounds}: {group.flavour} {', '.join(row.name for row in rows)}"
                f" (load {load_average():.1f})")
            runner.group(group, rows, number)
            loads.append(load_average())
    further = extra.run(runner, wanted)
    whole = {
        "machine": describe(), "quick": options.quick, "rounds": plan.rounds, "seconds": time.monotonic() - began,
        "load_average": {"min": min(loads), "max": max(loads)},
        "versions": {name: peer.version() for name, peer in all_peers.items()},
        "titles": {name: peer.title for name, peer in all_peers.items()},
        "prices": prices(site), "rows": results.rows, "further": further,
        "reasons": [[row, peer, reason] for (row, peer), reason in results.reasons.items()],
        "groups": [{"flavour": group.flavour, "peers": group.peers, "rows": [row.name for row in rows]}
                   for group, rows in pairs],
    }
    path = os.path.join(out, "results.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(whole, file, indent=1)
    say(f"-- raw rows: {path}")
    return whole


def show(whole):
    """Everything that is printed, as Markdown, and the picture."""
    rows = [row for group in groups() for row in group.rows]
    results = Results()
    results.rows = whole["rows"]
    results.reasons = {(row, peer): reason for row, peer, reason in whole["reasons"]}
    figures, titles = Figures(results, rows, whole["prices"]), whole["titles"]
    by_name = {row.name: row for row in rows}
    machine, load = whole["machine"], whole["load_average"]
    parts = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}; "
        f"{whole['rounds']} rounds{' (quick)' if whole['quick'] else ''} in {whole['seconds'] / 60:.0f} min; "
        f"load average of the machine {load['min']:.1f} to {load['max']:.1f}; median [min..max] of the rounds. "
        + ", ".join(f"{titles[name]} {version}" for name, version in whole["versions"].items()
                    if version and name != "envoy-known") + "."]
    merged = {}
    for group in whole["groups"]:
        kind = group["flavour"].split(":")[0]
        unit = by_name[group["rows"][0]].unit
        merged.setdefault((kind, unit, tuple(group["peers"])), []).extend(by_name[name] for name in group["rows"])
    for (_, _, names), group_rows in merged.items():
        parts.append(report.group_tables(figures, {"peers": names}, group_rows, titles))
    parts.append("Prices on this machine: " + report.price_line(whole["prices"]) + ".")
    parts.append(report.memory_line(figures, titles))
    parts += extra.show(whole["further"], titles)
    if "gateway" in titles:
        parts.append(SMALLEST)
        parts.append(report.goal_table(figures))
    parts.append(report.reasons(results, rows, titles))
    return "\n\n".join(part for part in parts if part), picture.draw(figures, rows, titles)


def main():
    options = arguments()
    if options.results:
        with open(options.results, encoding="utf-8") as file:
            whole = json.load(file)
    else:
        out = options.out or tempfile.mkdtemp(prefix="stand-")
        os.makedirs(out, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="stand-site-") as folder:
            site = Site(folder, options.stand, options.parts, TOKENS_MANY)
            try:
                whole = measure(site, options, out)
            finally:
                site.close()
    text, svg = show(whole)
    print(text)
    if options.svg:
        with open(options.svg, "w", encoding="utf-8") as file:
            file.write(svg)
    if options.docs:
        documents.rewrite(options.tree, text, svg)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"benches/compare: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
