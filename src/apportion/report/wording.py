"""Words for labels: names that fit into a figure, and labels that say where policies differ."""

from __future__ import annotations

import math
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

LONGEST = 28
"""Characters of a name in a figure; tables show more of it, and CSV files all."""

_LONGEST_LABEL = 60
_JOINERS = "\u200c\u200d"
"""Format characters that words of some scripts need."""


def plain(text: str) -> str:
    """Text without control and direction characters, which could break a line or turn what stands beside it.

    >>> plain("a" + chr(10) + chr(0x202E) + "b")
    'a b'
    """
    kept = "".join(" " if character.isspace() else character for character in text if _harmless(character))
    return " ".join(kept.split()) or "(unnamed)"


def printable(text: str) -> str:
    """A text of several lines without control and direction characters; its lines and blanks stay.

    >>> printable("a  =  1" + chr(0x202E))
    'a  =  1'
    """
    return "".join(filter(_harmless, text))


def _harmless(character: str) -> bool:
    unsafe = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
    return not unsafe or character.isspace() or character in _JOINERS


def shorten(text: str, longest: int = LONGEST) -> str:
    """The text with its middle left out if it is too long, so that beginning and end can be read.

    >>> shorten("a_very_long_name_of_a_task_that_goes_on", 15)
    'a_very_…goes_on'
    """
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half].rstrip()}…{text[len(text) - (longest - half - 1) :].lstrip()}"


def short_names(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """A short name for each, all different.

    >>> short_names(["rte", "x" * 40, "x" * 41], 9)
    ['rte', 'xxxx…xxxx', 'xxxx…xxxx (2)']
    """
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        base = shorten(plain(name), longest)
        label, number = base, 1
        while label in taken:
            number += 1
            label = f"{base} ({number})"
        taken.add(label)
        found.append(label)
    return found


def tied(text: str) -> str:
    """The text with numbers and their percent signs kept on one line.

    >>> tied("a 95 % interval") == "a 95\u00a0% interval"
    True
    """
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def clock(seconds: float) -> str:
    """A time in seconds since 1970 as date and time of day.

    >>> clock(0.0)
    '1970-01-01 00:00:00 UTC'
    """
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def interval_text(mean: float, lower: float, upper: float, *, sign: bool = False, word: str = "") -> str:
    """A mean with its interval, to two digits of the interval's half width; four digits where there is none.

    >>> interval_text(0.123456, 0.1, 0.15)
    '0.123 (0.100 to 0.150)'
    >>> interval_text(0.5, math.nan, math.nan, sign=True)
    '+0.5'
    """
    plus = "+" if sign else ""
    half = (upper - lower) / 2
    if not half > 0 or math.isinf(half):
        return f"{mean:{plus}.4g}"
    digits = 1 - math.floor(math.log10(half))
    if not 0 <= digits <= 8:
        return f"{mean:{plus}.4g} ({word}{lower:{plus}.4g} to {upper:{plus}.4g})"
    return f"{mean:{plus}z.{digits}f} ({word}{lower:{plus}z.{digits}f} to {upper:{plus}z.{digits}f})"


def label_all(identities: Sequence[Mapping[str, Any]]) -> list[str]:
    """A label for each identity: equal ones share it, different ones differ.

    The label is the policy's name with the components inside it; parameters are added where names do not suffice.

    >>> label_all([{"policy": {"name": "exp3", "gamma": g}} for g in (0.1, 0.1, 0.2)])
    ['exp3 (gamma 0.1)', 'exp3 (gamma 0.1)', 'exp3 (gamma 0.2)']
    """
    flat = [{key: value for key, value in _flatten(identity) if value is not None} for identity in identities]
    bases = [_name(identity.get("policy")) for identity in identities]
    labels = list(bases)
    for base in dict.fromkeys(bases):
        rows = [index for index, name in enumerate(bases) if name == base]
        keys = sorted({key for row in rows for key in flat[row]})
        differing = [key for key in keys if len({flat[row].get(key) for row in rows}) > 1]
        if not differing:
            continue
        kinds: dict[str, str] = {}
        for row in rows:
            told = ", ".join(f"{_last(key, differing)} {flat[row][key]}" for key in differing if key in flat[row])
            label = f"{base} ({plain(told)})" if told else base
            if len(label) > _LONGEST_LABEL:
                label = kinds.setdefault(label, f"{base} (kind {len(kinds) + 1})")
            labels[row] = label
    return labels


def _name(params: Any) -> str:
    """The name of a component and, in brackets, of those inside it."""
    if not isinstance(params, Mapping):
        return str(params)
    data = cast("Mapping[str, Any]", params)
    inside = [
        _name(part)
        for value in data.values()
        for part in (cast("list[Any]", value) if isinstance(value, list) else [value])
        if isinstance(part, Mapping) and "name" in part
    ]
    name = plain(str(data.get("name", "policy")))
    return shorten(f"{name}({', '.join(inside)})" if inside else name, _LONGEST_LABEL - 20)


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, str | None]]:
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from _flatten(item, f"{path}.{key}" if path else key)
    else:
        yield path, None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _last(key: str, keys: Sequence[str]) -> str:
    """The last part of a path, or two parts where the last one is not unique."""
    word = key.rsplit(".", 1)[-1]
    clash = word == "name" or sum(other.rsplit(".", 1)[-1] == word for other in keys) > 1
    return " ".join(key.split(".")[-2:]).removesuffix(" name") if clash else word
