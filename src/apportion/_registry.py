"""Components by name: built in, from another package's entry point, or from a user's own file."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import zlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from ._check import nearest
from .component import Component

C = TypeVar("C", bound=Component)


def exported(namespace: Mapping[str, Any], base: type[C]) -> list[type[C]]:
    """The subclasses of `base` that have a name among the values of a module's namespace, sorted by name."""
    found = (item for item in namespace.values() if isinstance(item, type) and issubclass(item, base) and item.name)
    return sorted(found, key=lambda cls: cls.name)


def import_file(path: str) -> ModuleType:
    """A user's own Python file as a module; run once, however often it is asked for.

    Raises:
        ValueError: there is no such file.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise ValueError(f"there is no file {path!r}.")
    name = f"_apportion_user_{file.stem}_{zlib.crc32(str(file).encode()):08x}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path!r} cannot be imported as Python.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


class Registry(Generic[C]):
    """Finds the classes of one kind by name.

    Args:
        kind: the word for messages, such as "policy".
        base: the class that all of them inherit from.
        group: entry-point group in which other packages register theirs.
        builtin: the classes that this package ships.
    """

    def __init__(self, kind: str, base: type[C], group: str, builtin: list[type[C]]) -> None:
        self.kind = kind
        self.base = base
        self.group = group
        self._builtin = {cls.name: cls for cls in builtin}

    def names(self) -> list[str]:
        """All names that `find` knows, without files."""
        return sorted({*self._builtin, *(point.name for point in entry_points(group=self.group))})

    def find(self, spec: str) -> type[C]:
        """The class behind a name, or behind `FILE.py:CLASS`.

        Raises:
            ValueError: nothing has this name, or the file does not define such a class.
        """
        if ".py:" in spec:
            return self._from_file(*spec.rsplit(":", 1))
        if spec in self._builtin:
            return self._builtin[spec]
        for point in entry_points(group=self.group):
            if point.name == spec:
                return self._checked(point.load(), spec)
        raise ValueError(
            f"there is no {self.kind} named {spec!r}{nearest(spec, self.names())}: see `apportion list`, or name a "
            "file as `my_file.py:MyClass`."
        )

    def _from_file(self, path: str, name: str) -> type[C]:
        found = getattr(import_file(path), name, None)
        if found is None:
            raise ValueError(f"{path!r} does not define {name!r}.")
        return self._checked(found, f"{path}:{name}")

    def _checked(self, found: Any, spec: str) -> type[C]:
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ValueError(f"{spec!r} must be a subclass of {self.base.__name__}.")
        return found

    def make(self, spec: str | C | Mapping[str, Any]) -> C:
        """An instance from `"name"`, `"name(key=value, inner=other(key=value))"` or `{"name": ..., key: value}`.

        Values are Python literals; a word or a call names another component of the same kind. Nothing is executed but
        the constructors.

        Raises:
            ValueError: the text cannot be read, a name is unknown, or the class has no such parameter.
        """
        if isinstance(spec, Mapping):
            params = {str(key): self._value(value) for key, value in spec.items() if key != "name"}
            return self._construct(str(spec.get("name", "")), params)
        if not isinstance(spec, str):
            return spec
        head, _, arguments = spec.partition("(")
        if ".py:" in head:
            call = f"file({arguments}" if arguments else "file()"
            return self._construct(head, self._arguments(self._parse(call, spec), spec))
        node = self._parse(spec, spec)
        if isinstance(node, ast.Name):
            return self._construct(node.id, {})
        return self._construct(cast("ast.Name", cast("ast.Call", node).func).id, self._arguments(node, spec))

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping) and "name" in value:
            return self.make(cast("Mapping[str, Any]", value))
        if isinstance(value, list):
            return tuple(self._value(item) for item in cast("list[Any]", value))
        return cast("Any", value)

    def _parse(self, text: str, spec: str) -> ast.expr:
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            node = None
        if isinstance(node, ast.Name) or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            return node
        raise ValueError(f"cannot read the {self.kind} {spec!r}: write `name` or `name(key=value, ...)`.")

    def _arguments(self, node: ast.expr, spec: str) -> dict[str, Any]:
        call = cast("ast.Call", node)
        if call.args or any(item.arg is None for item in call.keywords):
            raise ValueError(f"parameters of the {self.kind} {spec!r} must be given by name, as `name(key=value)`.")
        return {str(item.arg): self._literal(item.value, spec) for item in call.keywords}

    def _literal(self, node: ast.expr, spec: str) -> Any:
        if isinstance(node, ast.Name):
            return self._construct(node.id, {})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._construct(node.func.id, self._arguments(node, spec))
        if isinstance(node, (ast.List, ast.Tuple)):
            return tuple(self._literal(item, spec) for item in node.elts)
        try:
            return ast.literal_eval(node)
        except ValueError as error:
            raise ValueError(f"cannot read the value {ast.unparse(node)!r} in the {self.kind} {spec!r}.") from error

    def _construct(self, name: str, params: dict[str, Any]) -> C:
        cls = self.find(name)
        signature = inspect.signature(cls).parameters
        known = list(signature)
        for key in params:
            if key not in known:
                raise ValueError(
                    f"{self.kind} {name!r} has no parameter {key!r}{nearest(key, known)}; "
                    f"it has {', '.join(known) or 'none'}."
                )
        missing = [key for key, item in signature.items() if item.default is item.empty and key not in params]
        if missing:
            shown = ", ".join(f"{key}=..." for key in missing)
            raise ValueError(
                f"{self.kind} {name!r} does not work without parameters: write `{name}({shown})`, see "
                f"`help({cls.__module__}.{cls.__qualname__})`."
            )
        try:
            return cls(**params)
        except TypeError as error:
            raise ValueError(f"{self.kind} {name!r} cannot be made: {error}") from error
