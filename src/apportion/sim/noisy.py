"""Noise in what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_number
from ..records import Bools, Floats, Ints
from ._constants import per_task
from ._streams import EVALUATION, NOISE, Streams
from ._wrapper import Wrapper

_BATCH = {
    "loss": 0,
    "loss_after": 0,
    "self_before": 1,
    "self_after": 1,
    "target_before": 2,
    "target_after": 2,
    "mean_before": 3,
    "mean_after": 3,
    "entropy": 4,
    "reference_loss": 0,
}
_FALL = {"loss_after": 5, "self_after": 6, "target_after": 7, "mean_after": 8}
_SUCCESS, _COSINE = 9, 10
"""Numbers of the streams: a batch looked at twice has the same luck twice, what an update changed has its own."""


@dataclass
class Noisy(Wrapper):
    """Decides what a loop measures in place of the truth; what the tasks learn stays as it is.

    Every batch has its own luck: loss = truth + `batch_noise` z, the same z before and after its update and in
    `reference_loss`. What the update changed is seen through further noise, loss_after = loss - (fall + `gain_noise` /
    budget * z'), as the gradient of one batch says little about another. So `gain_noise` is in units of one loss unit
    spread over the whole budget: 0.1 is mild, and 1 hides the progress of slow tasks. An update also learns its own
    batch by heart, noise and all: `loss_after` is lower by `memorised` * learning rate * loss, which helps no other.

    `success` gets the noise of a fraction among `batch_size` examples. `gradient_variance` becomes v = `gain_noise` /
    budget, the unit of the fall of a loss by one step, and so does what noise adds to `gradient_norm`;
    `gradient_alignment` shrinks by the factor sqrt(norm / (norm + v)) and gets noise of the standard deviation
    `cosine_noise`, and `gradient_inner` and `trial_gain` noise of the standard deviation v.

    Held-out scores and losses get noise of the standard deviation `evaluation_noise` / sqrt(batches looked at), with
    one z for the score and, with the other sign, the loss of a task.

    Args:
        world: the world inside.
        batch_noise: standard deviation of the loss of a batch, not negative; for all tasks or for each.
        gain_noise: see above, not negative; for all tasks or for each, but gradients take the mean.
        memorised: fraction of the loss of its own batch that an update takes away at a full learning rate, beside what
            it teaches, in [0, 1); for all tasks or for each.
        evaluation_noise: standard deviation of a held-out score by one batch, not negative; for all tasks or for each.
        cosine_noise: standard deviation of a measured cosine, not negative.

    Raises:
        TypeError: `world` is none, or a number is none.
        ValueError: a number is negative or not finite, or there is not one for each task.
    """

    name = "noisy"
    source = "our own"

    batch_noise: float | Sequence[float] | Floats = 0.1
    gain_noise: float | Sequence[float] | Floats = 0.5
    evaluation_noise: float | Sequence[float] | Floats = 0.02
    cosine_noise: float = 0.1
    memorised: float | Sequence[float] | Floats = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._batch = per_task("batch_noise", self.batch_noise, self.n_tasks, low=0.0)
        self._evaluation = per_task("evaluation_noise", self.evaluation_noise, self.n_tasks, low=0.0)
        self._falls = per_task("gain_noise", self.gain_noise, self.n_tasks, low=0.0) / self.budget
        self._memorised = per_task("memorised", self.memorised, self.n_tasks, low=0.0, high=1.0, high_open=True)
        check_number("cosine_noise", self.cosine_noise, low=0.0)
        self._gain = float(self._falls.mean())

    def train(
        self,
        chosen: Ints,
        needs: frozenset[str],
        streams: Streams,
        step: int,
        *,
        active: Bools | None = None,
        worth: Floats | None = None,
    ) -> dict[str, Floats]:
        """One step of the world inside, seen through noise."""
        which = self._probes(chosen, needs, streams, step)
        inner = needs | {"gradient_norm"} if "gradient_alignment" in needs else needs
        heart = self._memorised[chosen] * self.world.rate() if self._memorised.any() else None
        found = self.world.train(chosen, inner, streams, step, active=active, worth=worth)
        for name, stream in _BATCH.items():
            if name in found:
                sd = self._batch[which.get(name, chosen)]
                found[name] = found[name] + sd * streams.normal(NOISE + stream, step)
        for name, stream in _FALL.items():
            if name in found and self._gain > 0:
                found[name] = found[name] + self._falls[which.get(name, chosen)] * streams.normal(NOISE + stream, step)
        if heart is not None and {"loss", "loss_after"} <= found.keys():
            found["loss_after"] = found["loss_after"] - heart * np.maximum(found["loss"], 0.0)
        if "success" in found:
            sd = np.sqrt(found["success"] * (1.0 - found["success"]) / self.batch_size)
            found["success"] = np.clip(found["success"] + sd * streams.normal(NOISE + _SUCCESS, step), 0.0, 1.0)
        if "gradient_alignment" in found:
            z = streams.normal(NOISE + _COSINE, step)
            found["gradient_alignment"] = self._cosine(found["gradient_alignment"], found["gradient_norm"], z)
        if "gradient_norm" in found:
            found["gradient_norm"] = found["gradient_norm"] + self._gain
        return {name: value for name, value in found.items() if name in needs}

    def evaluate(self, needs: frozenset[str], streams: Streams, index: int) -> tuple[Floats, dict[str, Floats]]:
        """An evaluation of the world inside, seen through noise."""
        inner = needs | {"gradient_norm"} if "gradient_alignment" in needs else needs
        scores, measured = self.world.evaluate(inner, streams, index)
        z = streams.normals(EVALUATION, index, 3 * self.n_tasks)
        error = self._evaluation / np.sqrt(self.evaluation_batches) * z[:, : self.n_tasks]
        measured["loss"] = measured["loss"] - error
        if "gradient_alignment" in measured:
            measured["gradient_alignment"] = self._cosine(
                measured["gradient_alignment"], measured["gradient_norm"], z[:, self.n_tasks : 2 * self.n_tasks]
            )
        for name in ("gradient_inner", "trial_gain"):
            if name in measured:
                measured[name] = measured[name] + self._gain * z[:, 2 * self.n_tasks :]
        for name in ("gradient_norm", "gradient_variance"):
            if name in measured:
                measured[name] = measured[name] + self._gain
        return scores + error, measured

    def _cosine(self, cosine: Floats, norm: Floats, z: Floats) -> Floats:
        shrunk = cosine * np.sqrt(norm / np.maximum(norm + self._gain, np.finfo(float).tiny))
        return np.clip(shrunk + self.cosine_noise * z, -1.0, 1.0)
