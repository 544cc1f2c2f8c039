"""The generated part of `docs/performance.md`, and its picture."""

import os

BEGIN = "<!-- benches/compare --docs: begin -->"
END = "<!-- benches/compare --docs: end -->"
PICTURE = "docs/images/performance.svg"


def rewrite(tree, text, svg):
    path = os.path.join(tree, "docs/performance.md")
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(BEGIN)
    after = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
    with open(os.path.join(tree, PICTURE), "w", encoding="utf-8") as file:
        file.write(svg)
