"""The suite: named families of worlds, each with settings for development (`public`) and for results (`reported`)."""

# Importing these registers their families.
from . import basic as basic
from . import real as real
from . import spending as spending
from . import structure as structure
from ._family import FAMILIES, SPLITS, Family, Split, family, find, ids, load

__all__ = ["FAMILIES", "SPLITS", "Family", "Split", "family", "find", "ids", "load"]
