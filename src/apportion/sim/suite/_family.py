"""Families of worlds: what they are drawn from, and how a result in them is scored."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..._check import check_choice, check_integer, nearest
from ...records import Floats
from .._base import World
from ..result import Result

Split = Literal["public", "reported"]
SPLITS: dict[Split, int] = {"public": 1, "reported": 2}
"""Settings for development, and settings for results: other parameters are drawn for each."""

Build = Callable[..., World]
"""From a generator and the entries of a setting to a world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Worlds of one kind, one for each setting.

    Attributes:
        name: unique word.
        title: one line on what the family tests.
        settings: what differs between its worlds.
        build: makes a world from a generator and a setting, and from the split if it has such a parameter.
        uniform_is_best: nothing can be gained over uniform; then the loss against it is what counts.
    """

    name: str
    title: str
    settings: tuple[Mapping[str, Any], ...]
    build: Build
    uniform_is_best: bool = False

    def load(self, index: int, split: Split = "public") -> World:
        """The world of one setting; its parameters are drawn from the name of the family, the index and the split.

        Raises:
            ValueError: there is no such setting or split.
        """
        check_choice("split", split, SPLITS)
        check_integer(f"index of {self.name}", index, low=0, high=len(self.settings) - 1)
        seed = [zlib.crc32(self.name.encode()), SPLITS[split], index]
        more = {"split": split} if "split" in inspect.signature(self.build).parameters else {}
        return self.build(np.random.default_rng(seed), **more, **self.settings[index])

    def ids(self) -> list[str]:
        """Names of its worlds, such as `transfer/3`."""
        return [f"{self.name}/{index}" for index in range(len(self.settings))]

    def score(self, result: Result, uniform: Result, best: float) -> Floats:
        """How well each run went: the gap closed, or the gain over uniform where uniform is best, shape (n_runs,).

        0 is what uniform reaches on average.
        """
        gained = result.final - uniform.final.mean()
        return gained if self.uniform_is_best else gained / (best - uniform.final.mean())


FAMILIES: dict[str, Family] = {}
"""All families by name, in the order in which they are defined."""


def family(*settings: Mapping[str, Any], uniform_is_best: bool = False) -> Callable[[Build], Build]:
    """Make a function that builds worlds a family under its own name; the first line of its docstring is the title.

    Args:
        settings: keyword arguments of the function, one mapping for each world.
        uniform_is_best: see `Family`.
    """

    def register(build: Build) -> Build:
        title = (build.__doc__ or "").strip().partition("\n")[0]
        name = build.__name__
        FAMILIES[name] = Family(name=name, title=title, settings=settings, build=build, uniform_is_best=uniform_is_best)
        return build

    return register


def find(name: str) -> Family:
    """The family with this name.

    Raises:
        ValueError: there is none.
    """
    if name not in FAMILIES:
        known = nearest(name, FAMILIES)
        raise ValueError(f"there is no family of worlds named {name!r}{known}: see `apportion list worlds`.")
    return FAMILIES[name]


def load(name: str, index: int | None = None, split: Split = "public") -> World:
    """A world of the suite, by `("transfer", 3)` or `"transfer/3"`.

    Raises:
        ValueError: there is no such family, setting or split, or no index.
    """
    head, slash, tail = name.partition("/")
    if slash:
        if index is not None or not tail.isdecimal():
            raise ValueError(f"a world of the suite is named like `transfer/3`, got {name!r} with the index {index}.")
        index = int(tail)
    if index is None:
        raise ValueError(f"say which world of the family: `{head}/0` to `{head}/{len(find(head).settings) - 1}`.")
    return find(head).load(index, split)


def ids(names: Sequence[str] | None = None) -> list[str]:
    """Names of all worlds of the suite, or of the families named."""
    return [item for name in (FAMILIES if names is None else names) for item in find(name).ids()]
