"""The base of everything that has parameters and state: policies, signals, worlds."""

from __future__ import annotations

import base64
import copy
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Self, cast

import numpy as np


class Component:
    """Dataclass fields are parameters; attributes whose names end in `_` are state.

    A subclass is a dataclass. Its fields are stored as given and checked in `__post_init__`; `reset` makes the state.
    In return it gets a registered name, its parameters as data, a copy without state, and saving and loading of state.

    State may hold numpy arrays, numbers, strings, None, and lists, tuples, deques and dicts of those. Numpy arrays keep
    the runs on their first axis.
    """

    name: ClassVar[str] = ""
    """The word by which commands and configurations know the class."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What the class itself asks the training loop for; see `requires`."""
    source: ClassVar[str] = ""
    """Where the formula comes from."""
    derived: ClassVar[frozenset[str]] = frozenset({"tasks_"})
    """State that `reset` makes from its arguments and that is therefore not saved."""

    @property
    def requires(self) -> frozenset[str]:
        """What the training loop has to provide: the needs of this component and of those inside it."""
        return self.needs.union(*(part.requires for part in self.parts()))

    def parts(self) -> Iterator[Component]:
        """The components among the parameters, for wrappers."""
        for item in fields(_dataclass(self)):
            value = getattr(self, item.name)
            candidates = cast("list[Any]", list(value)) if isinstance(value, (list, tuple)) else [value]
            yield from (part for part in candidates if isinstance(part, Component))

    def params(self) -> dict[str, Any]:
        """Class and parameters as plain data that JSON can hold: what a fingerprint is made of."""
        values = {item.name: _plain(getattr(self, item.name)) for item in fields(_dataclass(self))}
        return {"name": self.name or type(self).__qualname__, **values}

    def clone(self) -> Self:
        """A new instance with the same parameters and no state."""
        values: dict[str, Any] = {item.name: _clone(getattr(self, item.name)) for item in fields(_dataclass(self))}
        return type(self)(**values)

    def state_dict(self) -> dict[str, Any]:
        """The state as data that JSON can hold; exact, whatever the numbers."""
        state = {key: encode(value) for key, value in self._state().items()}
        for item in fields(_dataclass(self)):
            value = getattr(self, item.name)
            if isinstance(value, Component):
                state[item.name] = value.state_dict()
            elif isinstance(value, (list, tuple)):
                values = cast("list[Any]", list(value))
                if any(isinstance(part, Component) for part in values):
                    state[item.name] = [part.state_dict() for part in values if isinstance(part, Component)]
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state saved by `state_dict`, after `reset` with the same tasks and number of runs.

        Raises:
            ValueError: the state has other entries, or an array of another shape, than this component makes.
        """
        own = self.state_dict()
        if own.keys() != state.keys():
            odd = ", ".join(sorted(own.keys() ^ state.keys()))
            raise ValueError(f"the state does not belong to {type(self).__name__} after `reset`: it differs in {odd}.")
        current = self._state()
        for key, value in state.items():
            if key in current:
                self.__dict__[key] = decode(value)
            else:
                part = getattr(self, key)
                if isinstance(part, Component):
                    part.load_state_dict(value)
                else:
                    inner = [item for item in part if isinstance(item, Component)]
                    for item, saved in zip(inner, value, strict=True):
                        item.load_state_dict(saved)

    def _state(self) -> dict[str, Any]:
        return {
            key: value
            for key, value in vars(self).items()
            if key.endswith("_") and not key.startswith("_") and key not in self.derived
        }

    def take_rows(self, rows: np.ndarray[Any, Any]) -> list[tuple[Any, str, Any]]:
        """Copies of the state of some runs, for `put_rows` to restore after an update that was for the others."""
        saved: list[tuple[Any, str, Any]] = [
            (self, key, value[rows].copy()) for key, value in self._state().items() if isinstance(value, np.ndarray)
        ]
        for part in self.parts():
            saved.extend(part.take_rows(rows))
        return saved


def put_rows(saved: list[tuple[Any, str, Any]], rows: np.ndarray[Any, Any]) -> None:
    """Restore what `Component.take_rows` saved."""
    for owner, key, values in saved:
        getattr(owner, key)[rows] = values


def _dataclass(component: Component) -> Any:
    if not is_dataclass(component):
        raise TypeError(f"{type(component).__name__} must be a dataclass: put `@dataclass(kw_only=True)` above it.")
    return component


def _clone(value: Any) -> Any:
    if isinstance(value, Component):
        return value.clone()
    if isinstance(value, (list, tuple)):
        items = [_clone(item) for item in cast("list[Any]", list(value))]
        return items if isinstance(value, list) else tuple(items)
    return copy.copy(value) if isinstance(value, (dict, np.ndarray)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return value.params()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in list(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    # A function has no portable identity beyond where it was written.
    return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', repr(value))}"


_ARRAY_KINDS = "biuf"  # truth values and numbers: what may be read from a file, never objects


def encode(value: Any) -> Any:
    """State as JSON data. Arrays keep their bits; tuples and deques keep their type.

    Raises:
        TypeError: the value is of a kind that state may not hold.
    """
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return {
            "array": array.dtype.str,
            "shape": list(cast("tuple[int, ...]", value.shape)),
            "data": base64.b64encode(array.tobytes()).decode("ascii"),
        }
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, deque):
        items = cast("deque[Any]", value)
        return {"deque": [encode(item) for item in items], "maxlen": items.maxlen}
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in cast("tuple[Any, ...]", value)]}
    if isinstance(value, list):
        return [encode(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in cast("dict[Any, Any]", value).items()]}
    raise TypeError(f"state must be arrays, numbers, strings and containers of those, got {type(value).__name__}.")


def decode(value: Any) -> Any:
    """The inverse of `encode`; reads data only and never runs code.

    Raises:
        ValueError: the data is not what `encode` writes.
    """
    if isinstance(value, list):
        return [decode(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    data = cast("dict[str, Any]", value)
    if "array" in data:
        dtype = np.dtype(str(data["array"]))
        if dtype.kind not in _ARRAY_KINDS:
            raise ValueError(f"an array in a saved state must hold numbers, got the type {data['array']!r}.")
        raw = base64.b64decode(data["data"], validate=True)
        return np.frombuffer(raw, dtype=dtype).reshape(data["shape"]).copy()
    if "float" in data:
        return float(data["float"])
    if "deque" in data:
        return deque((decode(item) for item in data["deque"]), maxlen=data["maxlen"])
    if "tuple" in data:
        return tuple(decode(item) for item in data["tuple"])
    if "dict" in data:
        return {decode(key): decode(item) for key, item in data["dict"]}
    raise ValueError(f"unknown entry in a saved state: {sorted(data)}.")
