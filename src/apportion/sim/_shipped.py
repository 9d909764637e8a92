"""The fitted worlds that come with the package."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def folder() -> Traversable:
    """Where they lie."""
    return files(__package__ or "").joinpath("data")


def shipped() -> list[str]:
    """Their names."""
    if not folder().is_dir():
        return []
    return sorted(item.name.removesuffix(".json") for item in folder().iterdir() if item.name.endswith(".json"))
