"""Worlds fitted to logged runs of real training, where the package brings such fits."""

from __future__ import annotations

import numpy as np

from .._base import World
from .._shipped import shipped
from ._family import Split, family

_REPORTED = ".reported"


def fitted(generator: np.random.Generator, name: str, split: Split) -> World:
    """Real training, as far as a world of learning curves fitted to its logs can tell."""
    from ..fitted import Fit  # brings scipy and the forecaster, which no other family needs

    return Fit.load(name if split == "public" else name + _REPORTED).world()


# Nothing is drawn: `public` and `reported` are fits to different runs.
_NAMES = [name for name in shipped() if name + _REPORTED in shipped()]
if _NAMES:
    family(*({"name": name} for name in _NAMES))(fitted)
