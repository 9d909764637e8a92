"""The answer in words: which policy, by how much, how sure."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from ..settings import Setting
from ..wording import clock, interval_text
from .differences import Difference, differences
from .intervals import CONFIDENCE
from .reach import Saving, savings
from .scores import OBJECTIVE, Compared, compared, finals

_WORD = "95 % interval "

_FEWEST = 3
"""Seeds without which nothing is called sure: the spread of two says too little about normality."""

_MOST_NAMES = 5

Sureness = Literal["sure", "likely", "open", "untested"]


class Verdict(NamedTuple):
    """The answer of a report.

    Attributes:
        best: the policy with the highest mean objective; empty where no run has a score.
        sureness: `sure` if the interval of its difference to the reference (to the runner-up, if it is the reference)
            excludes zero at a confidence that allows for all comparisons made (Bonferroni), from three seeds on,
            `likely` if only the plain 95 % interval does, `open` if neither, `untested` where fewer than two paired
            seeds exist.
        headline: one sentence.
        details: further sentences.
    """

    best: str
    sureness: Sureness
    headline: str
    details: tuple[str, ...]


def verdict(setting: Setting) -> Verdict:
    """Which policy reached the highest mean objective, by how much, and how sure that is."""
    source = compared(setting)
    means = {row.policy: row for row in finals(setting) if row.task == OBJECTIVE and row.n}
    notes = _notes(setting, source)
    if not means:
        return Verdict("", "untested", "No run has been evaluated yet.", tuple(notes))
    best = max(means, key=lambda policy: means[policy].mean)
    top = means[best]
    reached = interval_text(*top[2:5], word=_WORD)
    if len(means) == 1:
        return Verdict(
            best, "untested", f"{best} reached an objective of {reached} {source.words}{_seeds(top.n)}.", tuple(notes)
        )
    others = [policy for policy in means if policy != best]
    second = max(others, key=lambda policy: means[policy].mean)
    against = second if best == setting.reference else setting.reference if setting.reference in means else second
    row, sureness = _compare(setting, source, best, against, len(others))
    if row.n == 0:
        headline = (
            f"{best} has the highest objective, {reached}{_seeds(top.n)}, but shares no seed with {against}: "
            f"differences between other seeds are left out."
        )
        return Verdict(best, "untested", headline, tuple(notes))
    by = f"{interval_text(*row[3:6], sign=True, word=_WORD)} over {against}{_seeds(row.n, 'paired seed')}"
    verb = {
        "sure": f"{best} is best: {by}",
        "likely": f"{best} is probably best: {by}",
        "open": f"{best} is ahead, but that may be chance: {by}",
        "untested": f"{best} is ahead in a single seed, which shows nothing yet: {by}",
    }[sureness]
    details = [f"It reached an objective of {reached} {source.words}{_seeds(top.n)}."]
    if second != against:
        runner, told = _compare(setting, source, best, second, len(others))
        if runner.n:
            words = "excludes zero" if told in ("sure", "likely") else "does not exclude zero"
            tail = f", which {words}" if runner.n > 1 else ""
            lead = interval_text(*runner[3:6], sign=True, word=_WORD)
            details.append(f"Over the best other policy, {second}, it leads by {lead}{tail}.")
    if sureness == "open":
        half = (row.upper - row.lower) / 2
        details.append(f"A difference below about {half:.2g} cannot be told from chance with these seeds.")
    details += _others(setting, source)
    if best != setting.reference:
        details += _saving(setting, {row.policy: row for row in savings(setting)}, best)
        details += _losers(setting, source, best)
    if len(others) > 1 and sureness != "untested":
        details.append(
            f"It was picked from {len(means)} policies after seeing their scores, so its lead flatters it a little; "
            f"“sure” here means that the interval widened for {len(others)} comparisons excludes zero."
        )
    return Verdict(best, sureness, f"{verb}.", tuple(details + notes))


def _compare(
    setting: Setting, source: Compared, policy: str, against: str, comparisons: int
) -> tuple[Difference, Sureness]:
    def row(confidence: float) -> Difference:
        rows = differences(setting, reference=against, confidence=confidence, source=source)
        return next(row for row in rows if row.policy == policy and row.task == OBJECTIVE)

    plain, widened = row(CONFIDENCE), row(1 - (1 - CONFIDENCE) / comparisons)
    if plain.n < 2:
        return plain, "untested"
    return plain, "sure" if widened.lower > 0 and plain.n >= _FEWEST else "likely" if plain.lower > 0 else "open"


def _others(setting: Setting, source: Compared) -> list[str]:
    """Which of several policies differ from the reference, beyond the best one."""
    rows = [row for row in differences(setting, source=source) if row.task == OBJECTIVE and row.n > 1]
    if len(rows) < 2:
        return []
    told = [
        f"{len(found)} {word} ({', '.join(found[:_MOST_NAMES])}{', …' if len(found) > _MOST_NAMES else ''})"
        for word, found in (
            ("better", [row.policy for row in rows if row.lower > 0]),
            ("worse", [row.policy for row in rows if row.upper < 0]),
        )
        if found
    ]
    words = " and ".join(told) or "none better and none worse"
    return [f"Of {len(rows)} policies, {words} than {setting.reference} by a plain 95 % interval that excludes zero."]


def _saving(setting: Setting, rows: dict[str, Saving], best: str) -> list[str]:
    if best not in rows:
        return []
    own, other = rows[best], rows[setting.reference]
    if not math.isfinite(own.share) or math.isnan(other.share):
        return []
    return [
        f"It reached {setting.reference}'s last evaluation with {own.share:.0%} of the budget (median, reached in "
        f"{own.reached} of {own.n}); {setting.reference} itself first stood there at {other.share:.0%}."
    ]


def _losers(setting: Setting, source: Compared, best: str) -> list[str]:
    rows = [row for row in differences(setting, source=source) if row.policy == best and row.task != OBJECTIVE]
    if not any(row.n > 1 for row in rows):
        return []
    worse = sorted((row for row in rows if row.upper < 0), key=lambda row: row.mean)
    better = sum(row.lower > 0 for row in rows)
    worst = f", most {worse[0].task} ({worse[0].mean:+.3g})" if worse else ""
    return [
        f"Of {len(rows)} tasks, {better} gained and {len(worse)} lost{worst}, each by a 95 % interval that excludes "
        f"zero; with {len(rows)} intervals about {0.05 * len(rows):.2g} would by chance alone."
    ]


def _notes(setting: Setting, source: Compared) -> list[str]:
    notes: list[str] = []
    running = [run for run in setting.runs if not run.finished]
    if running:
        known = [run.written_at for run in running if not math.isnan(run.written_at)]
        last = f" Last entry of their logs: {clock(max(known))}." if known else ""
        notes.append(
            f"{len(running)} of {len(setting.runs)} runs have not finished: policies are compared {source.words}.{last}"
        )
    fewest = min(len(setting.of(policy)) for policy in setting.policies)
    if fewest == 1:
        notes.append("One seed cannot show whether a difference is more than chance: run each policy with several.")
    return notes


def _seeds(n: int, word: str = "seed") -> str:
    return f", {n} {word}{'s' if n != 1 else ''}"
