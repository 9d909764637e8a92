"""The model that losses are compared with: given, of an earlier run, or trained first by equal shares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ..run import RunDirectory
from .checkpoint import load_model
from .model import MultitaskModel, make_model
from .taskset import Taskset

REFERENCE_SHARE = 0.2
"""Fraction of the budget that is left on which a reference model is trained where none is given."""

_PREFIX = "reference/"


class Reference:
    """The model behind `reference_loss`, in evaluation mode.

    Args:
        taskset: of the run.
        seed: of its weights where it is trained.
        given: the model itself; None takes `where`.
        where: `auto` to train one, or the directory of a run.
        is_wanted: whether policy or signal ask for it; else there is none.

    Attributes:
        model: None where it is not wanted.
        is_trained_here: whether it is trained on a part of this run's budget.
        is_ready: whether it can be used.
        cost: budget that its training used.

    Raises:
        FileNotFoundError: `where` holds no run.
        CheckpointError: it holds no model, or that of another taskset.
    """

    def __init__(
        self, taskset: Taskset, seed: int, given: MultitaskModel | None, where: str, *, is_wanted: bool
    ) -> None:
        self.is_trained_here = is_wanted and given is None and where == "auto"
        self.is_ready = not self.is_trained_here
        self.cost = 0.0
        self.model: MultitaskModel | None = None
        if is_wanted:
            self.model = given or (make_model(taskset, seed) if self.is_trained_here else _of_run(taskset, where))
            self.model.eval()

    def planned(self, left: float) -> float:
        """What training it will use of the budget that is left."""
        return 0.0 if self.is_ready else REFERENCE_SHARE * left

    def take(self, trained: nn.Module, cost: float) -> None:
        """Take over the weights of a model that was trained for this at some cost."""
        self._load(trained.state_dict())
        self.cost = cost

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint has to keep: the weights, if they come from this run."""
        if self.model is None or not (self.is_trained_here and self.is_ready):
            return {}
        return {f"{_PREFIX}{name}": value for name, value in self.model.state_dict().items()}

    def load(self, tensors: Mapping[str, Tensor], cost: float) -> None:
        """Take over what `tensors` gave, where it gave something."""
        own = {name.removeprefix(_PREFIX): value for name, value in tensors.items() if name.startswith(_PREFIX)}
        self.cost = cost
        if self.is_trained_here and own:
            self._load(own)

    def _load(self, weights: Mapping[str, Tensor]) -> None:
        assert self.model is not None  # noqa: S101 (it is trained here)
        self.model.load_state_dict(dict(weights))
        self.is_ready = True


def _of_run(taskset: Taskset, where: str) -> MultitaskModel:
    folder, _ = RunDirectory.open(Path(where)).load_checkpoint()
    return load_model(taskset, folder)
