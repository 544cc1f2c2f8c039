"""The table on the terminal, and the same for the documentation."""


def table(head, lines):
    """A table in Markdown; it reads well on a terminal, too."""
    widths = [max(len(line[index]) for line in [head, *lines]) for index in range(len(head))]

    def show(cells):
        first, rest = cells[0].ljust(widths[0]), [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join([first, *rest]) + " |"
    rule = "|" + "|".join(["-" * (widths[0] + 2)] + ["-" * (width + 1) + ":" for width in widths[1:]]) + "|"
    return "\n".join([show(head), rule, *map(show, lines)])


def ratio_cell(ratio):
    return "-" if ratio is None else f"{ratio:.2f}"


def group_tables(figures, group, rows, titles):
    """One table of figures and one of ratios."""
    peers = [name for name in group["peers"] if name in titles]
    unit = "KB per connection" if rows[0].unit == "memory" else "CPU us per request"
    head = [unit, *(titles[name] for name in peers)]
    lines = [[f"{row.key} {row.title}", *(figures.cell(row.name, name) for name in peers)] for row in rows]
    text = table(head, lines)
    others = [name for name in peers if name != "gateway"]
    if "gateway" in peers and others:
        lines = [[f"{row.key} {row.title}", *(ratio_cell(figures.ratio(row.name, name)) for name in others)]
                 for row in rows]
        text += "\n\n" + table(["gateway / peer", *(titles[name] for name in others)], lines)
    return text


def goal_table(figures):
    found = figures.goals()
    if not found:
        return ""
    lines = [[what, f"{got:.2f}", f"{bound:.2f}", "met" if met else f"missed, {got / bound:.2f} x"]
             for what, got, bound, met in found]
    return table(["goal", "now", "bound", ""], lines)


def reasons(results, rows, titles):
    """Why a cell is empty, once for each peer and reason."""
    names = {row.name: f"{row.key} {row.title}" for row in rows}
    gathered = {}
    for (row, peer), reason in results.reasons.items():
        if reason and row in names and peer in titles and not results.of(row, peer):
            gathered.setdefault((peer, reason), []).append(names[row])
    lines = []
    for (peer, reason), which in gathered.items():
        what = "; ".join(which) if len(which) <= 4 else f"{which[0]} and {len(which) - 1} more"
        lines.append(f"- {titles[peer]}: {reason} ({what})")
    return "\n".join(lines)


def price_line(prices):
    names = {"rs256_verify": "RS256 verify", "es256_verify": "ES256 verify", "ed25519_sign": "Ed25519 sign",
             "p256_sign": "P-256 sign", "sha256_token": "SHA-256 of a token"}
    return ", ".join(f"{title} {prices[key]:.1f} us" for key, title in names.items() if key in prices)


def memory_line(figures, titles, rows=("w1", "w6up", "w6down")):
    """Whether a megabyte is held or passed on: resident memory after small answers and after big ones."""
    parts = []
    for name, title in titles.items():
        found = [figures.resident_mb(row, name) for row in rows]
        if all(megabytes is not None for megabytes in found):
            parts.append(f"{title} " + " / ".join(f"{megabytes:.0f}" for megabytes in found))
    return "Resident MB after W1 / 1 MB up / 1 MB down: " + ", ".join(parts) + "." if parts else ""
