"""The references of the suite's worlds, as shipped or computed."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from ..records import Floats
from ._base import World
from ._checks import check_world
from .oracle import best_fixed_mixture, oracle
from .suite import SPLITS, Split, ids, load

FILE = "references.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What policies are measured against in one world.

    Attributes:
        best: objective of the best spending, or of the best one known.
        upper: bound that no spending exceeds; inf where none is known.
        verified: whether `best` is verified to be the best; otherwise it is the best known.
        method: how it was found.
        best_shares: of the budget for each task in the best spending, shape (n_tasks,).
        fixed: objective of the best mixture that never changes, evenly interleaved.
        fixed_shares: of the budget in that mixture, shape (n_tasks,).
    """

    best: float
    upper: float
    verified: bool
    method: str
    best_shares: Floats
    fixed: float
    fixed_shares: Floats

    def fixed_probabilities(self, world: World) -> Floats:
        """How likely each task is under the best fixed mixture: its share of the budget over what its steps cost."""
        weight = self.fixed_shares / world.costs
        return weight / weight.sum()


def references(world: World, *, effort: int = 150) -> References:
    """Compute the references of any world; see `oracle` and `best_fixed_mixture`.

    The best of both counts as the best known.

    Raises:
        TypeError: the budget of the world is no number.
        ValueError: the world has settings that make no sense.
    """
    check_world(world)
    best, fixed = oracle(world, effort=effort), best_fixed_mixture(world, effort=effort)
    wins = fixed.value > best.value
    return References(
        best=max(best.value, fixed.value),
        upper=max(best.upper, fixed.value),
        verified=best.verified,
        method=fixed.method if wins else best.method,
        best_shares=fixed.shares if wins else best.shares,
        fixed=fixed.value,
        fixed_shares=fixed.shares,
    )


@cache
def suite_references(name: str, split: Split = "public") -> References:
    """The references of a world of the suite, such as `transfer/3`.

    They are shipped with the package; `python -m apportion.sim.references` renews the file. If the world's parameters
    are others than when they were computed, they are computed anew, which can take a minute.

    Raises:
        ValueError: there is no such world or split.
    """
    world = load(name, split=split)
    entry = shipped_references().get(f"{split}/{name}")
    if entry is None or entry["fingerprint"] != fingerprint(world):
        return references(world)
    return References(
        best=entry["best"],
        upper=np.inf if entry["upper"] is None else entry["upper"],
        verified=entry["verified"],
        method=entry["method"],
        best_shares=np.array(entry["best_shares"]),
        fixed=entry["fixed"],
        fixed_shares=np.array(entry["fixed_shares"]),
    )


def as_entry(world: World, found: References) -> dict[str, Any]:
    """References as the plain data that the shipped file holds."""
    return {
        "fingerprint": fingerprint(world),
        "best": round(found.best, 9),
        "upper": round(found.upper, 9) if np.isfinite(found.upper) else None,
        "verified": found.verified,
        "method": found.method,
        "best_shares": [round(float(share), 6) for share in found.best_shares],
        "fixed": round(found.fixed, 9),
        "fixed_shares": [round(float(share), 6) for share in found.fixed_shares],
    }


def fingerprint(world: World) -> str:
    """Hash of a world's parameters, rounded so that the last bit of a logarithm does not matter."""
    return hashlib.sha256(orjson.dumps(_rounded(world.params()))).hexdigest()[:16]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_rounded(item) for item in cast("list[Any]", value)]
    return f"{value:.8g}" if isinstance(value, float) else value


@cache
def shipped_references() -> dict[str, dict[str, Any]]:
    """The file that comes with the package, by `SPLIT/WORLD`; see `as_entry`."""
    file = files(__package__ or "").joinpath("suite").joinpath(FILE)
    return orjson.loads(file.read_bytes()) if file.is_file() else {}


def main() -> None:
    """Compute what is missing or stale among the references of the suite and write them to the file that is shipped."""
    path = Path(__file__).with_name("suite") / FILE
    entries: dict[str, Any] = orjson.loads(path.read_bytes()) if path.is_file() else {}
    known: list[tuple[Split, str]] = [(split, name) for split in SPLITS for name in ids()]
    for split, name in known:
        world, key = load(name, split=split), f"{split}/{name}"
        if entries.get(key, {}).get("fingerprint") == fingerprint(world):
            continue
        found = references(world)
        entries[key] = as_entry(world, found)
        print(f"{key}: {found.best:.5f}, at most {found.upper:.5f}, {found.method}", file=sys.stderr, flush=True)
        kept = {f"{split}/{name}": entries[f"{split}/{name}"] for split, name in known if f"{split}/{name}" in entries}
        path.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
