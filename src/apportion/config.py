"""Configurations of training runs: TOML, every key documented, unknown keys refused."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from typing import Any, cast, get_type_hints

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from ._check import nearest
from ._registry import import_file
from .budget import Budget, Unit
from .constraints import Constraints
from .drawing import Execution
from .loader import WhenExhausted
from .records import ObjectiveName
from .training.settings import Settings

TASKSETS: Mapping[str, str] = {
    "digits": "eight tasks made from the handwritten digits that scikit-learn ships; a run takes seconds",
    "glue": "the nine tasks of GLUE with their official metrics",
    "superglue": "the small tasks of SuperGLUE",
    "toys": "questions about made-up stories, where some skills need others first",
    "tabular": "tables made by a generator, with tasks that share hidden factors",
    "vision": "digits and drawings of 8 x 8 pixels",
    "files": "your own CSV, JSONL or Parquet files, or data sets of the Hugging Face hub",
}
"""The tasksets that commands know by name; `FILE.py:FUNCTION` names one of yours."""


def described(cls: type) -> dict[str, str]:
    """What the docstring of a class says about each of its arguments, on one line each."""
    text = inspect.getdoc(cls) or ""
    _, _, rest = text.partition("Args:\n")
    section = re.split(r"\n\n|\n(?=\S)", rest)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(line.strip() for line in words.splitlines()) for name, words in entries}


def _model_of(cls: Any, name: str) -> type[BaseModel]:
    """A pydantic model with the fields, defaults and documentation of a dataclass."""
    words, hints = described(cls), get_type_hints(cls)
    given: dict[str, Any] = {}
    for item in fields(cls):
        factory = cast("Any", item.default_factory)
        default = item.default if factory is MISSING else factory()
        given[item.name] = (hints[item.name], Field(default=default, description=words[item.name]))
    return create_model(name, __config__=ConfigDict(extra="forbid"), **given)


ConstraintsSection = _model_of(Constraints, "ConstraintsSection")
TrainingSection = _model_of(Settings, "TrainingSection")


class BudgetSection(BaseModel):
    """How much may be spent."""

    model_config = ConfigDict(extra="forbid")

    amount: float = Field(gt=0, description="how much, evaluations included")
    unit: Unit = Field(default="steps", description="`steps`, `examples`, `tokens` or `seconds`")


class TasksetSection(BaseModel):
    """What is trained on. Further keys are options of the taskset, such as `data_dir` of `glue`."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description=f"{', '.join(TASKSETS)}, or `FILE.py:FUNCTION`")


class Config(BaseModel):
    """A training run."""

    model_config = ConfigDict(extra="forbid")

    seed: int = Field(ge=0, description="of weights, order of data and draws; required")
    when_exhausted: WhenExhausted = Field(
        description="what happens when a task runs out of data: `cycle`, `first_exhausted`, `all_exhausted` or "
        "`renormalize`; required"
    )
    policy: str | dict[str, Any] = Field(
        default="uniform", description='a name, `"name(key=value)"`, `"FILE.py:CLASS"`, or a table with `name`'
    )
    signal: str | dict[str, Any] | None = Field(
        default=None, description="likewise; where it is left out, a policy that needs rewards gets its usual signal"
    )
    execution: Execution = Field(
        default="random", description="`random` draws, or `smooth` for less variance and a log without off-policy use"
    )
    checkpoint_every: int | None = Field(
        default=None, ge=1, description="decisions between two checkpoints; left out, a tenth of the run"
    )
    priorities: dict[str, float] = Field(
        default_factory=dict, description="importance of tasks in the objective, by name; 0 marks an auxiliary task"
    )
    objective: ObjectiveName = Field(
        default="mean",
        description="what is to become large: `mean`, the priority-weighted mean of the scores, or `worst`, the lowest "
        "score of the tasks with a priority; `planner` and rewards by `worth` (so `counterfactual`) or `held_out_gain` "
        "are told, other policies decide as ever",
    )
    trackers: list[str] | None = Field(
        default=None,
        description="where to send decisions, shares, rewards and scores as the run goes on: `tensorboard`, `mlflow`, "
        "`wandb`, `trackio`",
    )
    taskset: TasksetSection = Field(description="what is trained on; required")
    budget: BudgetSection = Field(description="how much may be spent; required")
    constraints: ConstraintsSection = Field(  # pyright: ignore[reportInvalidTypeForm] (made from the dataclass)
        default_factory=ConstraintsSection, description="on the shares of tasks"
    )
    training: TrainingSection = Field(  # pyright: ignore[reportInvalidTypeForm] (made from the dataclass)
        default_factory=TrainingSection, description="how the model is trained"
    )

    def make_budget(self) -> Budget:
        """The budget."""
        return Budget(self.budget.amount, self.budget.unit)

    def make_constraints(self) -> Constraints:
        """The constraints."""
        return Constraints(**_values(self.constraints))

    def make_settings(self) -> Settings:
        """The settings of the training loop."""
        return Settings(**_values(self.training))

    def make_taskset(self) -> Any:
        """The taskset, with its data loaded.

        Raises:
            ValueError: the taskset or one of its options is unknown, or its data are wrong.
        """
        options = dict(self.taskset.model_extra or {})
        make = find_taskset(self.taskset.name)
        known = list(inspect.signature(make).parameters)
        for key in options:
            if key not in known:
                raise ValueError(
                    f"taskset {self.taskset.name!r} has no option {key!r}{nearest(key, known)}; it has "
                    f"{', '.join(known) or 'none'}."
                )
        taskset = make(**options)
        return taskset.with_priorities(self.priorities) if self.priorities else taskset

    def to_toml(self) -> str:
        """The configuration as TOML, defaults filled in."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _values(section: BaseModel) -> dict[str, Any]:
    return {name: getattr(section, name) for name in type(section).model_fields}


def find_taskset(name: str) -> Callable[..., Any]:
    """The function that makes a taskset, by name or as `FILE.py:FUNCTION`.

    Raises:
        ValueError: there is no such taskset.
    """
    if name in TASKSETS:
        return getattr(import_module("apportion.tasksets"), name)
    path, separator, function = name.rpartition(":")
    if separator and path.endswith(".py"):
        found = getattr(import_file(path), function, None)
        if callable(found):
            return found
        raise ValueError(f"{path!r} does not define a function {function!r}.")
    raise ValueError(
        f"there is no taskset named {name!r}{nearest(name, TASKSETS)}: take one of {', '.join(TASKSETS)}, or name a "
        f"function of yours as `FILE.py:FUNCTION`."
    )


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and check a configuration.

    Args:
        path: of the TOML file.
        overrides: values by dotted key, such as `{"training.batch_size": 8}`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not TOML, or a key or value is wrong; names the key and the nearest known one.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no configuration '{path}'.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' is not TOML: {error}.") from error
    return make_config(data, overrides, where=f"'{path}'")


def make_config(data: Mapping[str, Any], overrides: Mapping[str, Any] | None = None, *, where: str = "") -> Config:
    """Check a configuration given as data; see `load_config`."""
    merged: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for dotted, value in (overrides or {}).items():
        *sections, key = dotted.split(".")
        place = merged
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise ValueError(f"`{dotted}` cannot be set: `{section}` is not a section.")
        place[key] = value
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        prefix = f"{where}: " if where else ""
        raise ValueError(prefix + "; ".join(_sentence(item) for item in error.errors()) + ".") from None


def _sentence(item: Any) -> str:
    path = [str(part) for part in item["loc"] if not str(part).startswith(("function-", "dict[", "str", "float"))]
    key = ".".join(path)
    if item["type"] == "extra_forbidden":
        known = list(_section(path[:-1]))
        return f"unknown key `{key}`{nearest(path[-1], known)}"
    if item["type"] == "missing":
        return f"`{key}` is missing"
    return f"`{key}` is {item['input']!r}, but {item['msg'][0].lower()}{item['msg'][1:]}"


def _section(path: list[str]) -> Mapping[str, FieldInfo]:
    model: type[BaseModel] = Config
    for name in path:
        model = cast("type[BaseModel]", model.model_fields[name].annotation)
    return model.model_fields


def reference() -> str:
    """Every key of a configuration as Markdown, for the documentation."""
    lines: list[str] = []

    def section(title: str, model: type[BaseModel]) -> None:
        lines.extend([f"\n## {title}\n", "| key | default | meaning |", "|---|---|---|"])
        for name, item in model.model_fields.items():
            if isinstance(item.annotation, type) and issubclass(item.annotation, BaseModel):
                continue
            required = item.is_required()
            default = item.get_default(call_default_factory=True, validated_data={}) if not required else None
            shown = "required" if required else "" if default is None else f"`{_toml(default)}`"
            lines.append(f"| `{name}` | {shown} | {(item.description or '').replace('|', chr(92) + '|')} |")

    section("Top level", Config)
    for name in ("taskset", "budget", "constraints", "training"):
        section(f"`[{name}]`", cast("type[BaseModel]", Config.model_fields[name].annotation))
    return "\n".join(lines).strip() + "\n"


def _toml(value: Any) -> str:
    return tomli_w.dumps({"x": list(value) if isinstance(value, tuple) else value}).strip().removeprefix("x = ") or "{}"
