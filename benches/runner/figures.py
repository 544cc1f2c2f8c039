"""From raw rows to medians, ratios and goals."""

from statistics import median

from .workloads import FIRST_SIGHT, FIRST_SIGHT_US, GOALS, IDLE_KB


def value(measured, unit):
    """The figure of one raw row: CPU microseconds per request, or kilobytes per connection."""
    if unit == "memory":
        return measured["bytes_each"] / 1024
    return measured["cpu_us"] / measured["requests"]


class Figures:
    def __init__(self, results, rows, prices):
        self.results, self.rows, self.prices = results, {row.name: row for row in rows}, prices

    def values(self, name, peer):
        """By round."""
        unit = self.rows[name].unit
        return {row["round"]: value(row, unit) for row in self.results.of(name, peer)}

    def middle(self, name, peer):
        values = self.values(name, peer)
        return median(values.values()) if values else None

    def resident_mb(self, name, peer):
        """What the peer held at the end of a row, in the middle of the rounds."""
        found = [row["peer_rss_kb"] / 1024 for row in self.results.of(name, peer)]
        return median(found) if found else None

    def cell(self, name, peer):
        """`median [min..max]`, or `-`."""
        values = sorted(self.values(name, peer).values())
        if not values:
            return "-"
        digits = 1 if values[-1] < 100 else 0
        return f"{median(values):.{digits}f} [{values[0]:.{digits}f}..{values[-1]:.{digits}f}]"

    def ratio(self, name, peer, of="gateway", against=None, plus=0.0):
        """The median over the rounds of the ratio within one round; both were measured close to each other."""
        mine, theirs = self.values(name, of), self.values(against or name, peer)
        both = [mine[number] / (theirs[number] + plus) for number in mine if number in theirs and theirs[number]]
        return median(both) if both else None

    def goals(self):
        """Sentence, figure, bound, met: for each goal whose rows were measured."""
        found = []
        for goal in GOALS:
            if goal.row not in self.rows or (goal.against and goal.against not in self.rows):
                continue
            plus = self.prices.get(goal.plus, 0.0)
            ratio = self.goal_ratio(goal, plus)
            if ratio is None:
                continue
            row = self.rows[goal.row]
            against = self.rows[goal.against].title + " of " + goal.peer if goal.against else goal.peer
            sentence = f"{row.key} {row.title} <= {goal.factor} x {against}"
            if goal.plus:
                sentence += f" + the assertion ({plus:.1f} us)"
            found.append((sentence, ratio, goal.factor, ratio <= goal.factor))
        return found + self.other_goals()

    def goal_ratio(self, goal, plus):
        mine, theirs = self.values(goal.row, "gateway"), self.values(goal.against or goal.row, goal.peer)
        both = [(mine[n] - plus) / theirs[n] for n in mine if n in theirs and theirs[n]]
        return median(both) if both else None

    def other_goals(self):
        """The goals that are sums, not ratios."""
        found = []
        for first, known, price in FIRST_SIGHT:
            mine, base = self.middle(first, "gateway"), self.middle(known, "gateway")
            if mine is None or base is None or price not in self.prices:
                continue
            bound = self.prices[price] + FIRST_SIGHT_US
            title = self.rows[first].title
            found.append((f"W3 {title}: above a known token <= its signature + {FIRST_SIGHT_US:.0f} us",
                          mine - base, bound, mine - base <= bound))
        for name in ("w7n2000", "w7n10000"):
            if name in self.rows and (kilobytes := self.middle(name, "gateway")) is not None:
                title = self.rows[name].title
                found.append((f"W7 {title} <= {IDLE_KB:.0f} KB", kilobytes, IDLE_KB, kilobytes <= IDLE_KB))
        return found
