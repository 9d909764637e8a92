"""The sentence in which a broken promise is reported, and comparisons that several checks share."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import numpy as np

from ..component import Component
from ..records import Floats


@contextmanager
def held(component: object, promise: str) -> Generator[None]:
    """Turn whatever goes wrong inside into one AssertionError that names the component and the promise."""
    try:
        yield
    except Exception as error:
        detail = str(error) if isinstance(error, AssertionError) else f"it raised {type(error).__name__}: {error}"
        raise AssertionError(f"{component!r} must keep the promise that it {promise}: {detail}.") from error


def require(condition: bool, broken: str) -> None:
    """Raise an AssertionError that says what is broken; works under `python -O` too, unlike a bare `assert`."""
    if not condition:
        raise AssertionError(broken)


def same(wanted: Sequence[Floats], got: Sequence[Floats], what: str) -> None:
    """Refuse two sequences of arrays that differ by more than rounding."""
    require(len(wanted) == len(got), f"{what} gives {len(got)} answers instead of {len(wanted)}")
    for step, (left, right) in enumerate(zip(wanted, got, strict=True)):
        require(
            np.allclose(left, right, rtol=1e-09, atol=1e-11, equal_nan=True),
            f"{what} says {right} instead of {left} at step {step}",
        )


def plain_parameters(component: Component) -> None:
    """Refuse parameters that JSON cannot hold, and a `clone` or `repr` that loses some of them."""
    params = component.params()
    require(json.loads(json.dumps(params, allow_nan=False)) == params, f"its parameters are not plain data: {params}")
    require(component.clone().params() == params, "`clone` changes its parameters")
    require(type(component).__name__ in repr(component), f"`repr` does not name the class: {component!r}")
