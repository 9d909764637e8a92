"""Import of optional dependencies, with one sentence that says what to install."""

from importlib import import_module
from types import ModuleType

from .errors import MissingExtraError


def optional(module: str, *, extra: str) -> ModuleType:
    """Import `module`, or say which extra of this package brings it.

    Raises:
        MissingExtraError: `module` is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        root = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != root:
            raise
        raise MissingExtraError(f"`{root}` is not installed: run `pip install 'apportion[{extra}]'`.") from error
