"""Bars as an SVG picture, for light and dark pages."""

from html import escape

SHOWN = ["w1", "w2", "w3rs256one", "w4", "w5", "w6k16"]
COLOURS = {"gateway": "#c2410c", "wire": "#cbd5e1", "floor": "#94a3b8", "floor-known": "#94a3b8"}
OTHER = "#64748b"
WIDTH, LABEL, BAR, GAP, TITLE, EDGE = 760, 150, 18, 4, 34, 12
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2937 } .title { font-weight: 600 } .note { fill: #6b7280 }
@media (prefers-color-scheme: dark) { text { fill: #e5e7eb } .note { fill: #9ca3af } }
</style>"""


def draw(figures, rows, titles):
    """The picture: one block per workload, one bar per peer, each block with its own scale."""
    blocks, y = [], EDGE + 16
    blocks.append(text(EDGE, y, "CPU microseconds per request of the proxy's process; shorter is better", "note"))
    y += 8
    for row in rows:
        if row.name not in SHOWN:
            continue
        found = [(name, figures.middle(row.name, name)) for name in titles]
        found = sorted(((name, us) for name, us in found if us is not None), key=lambda pair: pair[1])
        if not found:
            continue
        longest = max(us for _, us in found)
        y += TITLE
        blocks.append(text(EDGE, y - 10, f"{row.key} {row.title}", "title"))
        for name, us in found:
            width = max(2, (WIDTH - LABEL - 2 * EDGE - 60) * us / longest)
            blocks.append(text(LABEL, y + BAR - 4, titles[name], anchor="end"))
            blocks.append(f'<rect x="{LABEL + 8}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" '
                          f'fill="{COLOURS.get(name, OTHER)}"/>')
            blocks.append(text(LABEL + 14 + width, y + BAR - 4, f"{us:.0f}"))
            y += BAR + GAP
    height = y + EDGE
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
            f'aria-label="CPU time per request by workload">\n{STYLE}\n' + "\n".join(blocks) + "\n</svg>\n")


def text(x, y, what, kind="", anchor=""):
    attributes = f' class="{kind}"' if kind else ""
    attributes += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(what)}</text>'
