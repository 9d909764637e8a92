"""How a model is trained, apart from which task comes when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._check import check_choice, check_integer, check_number

Schedule = Literal["constant", "linear", "cosine"]
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a model is trained.

    Args:
        learning_rate: of AdamW; None takes the taskset's.
        weight_decay: of AdamW, at least 0.
        schedule: of the learning rate over the budget: `constant`, `linear` to 0 or `cosine` to 0.
        warmup: fraction of the budget over which the learning rate rises from 0, in [0, 1).
        clip: largest norm of the gradient, above 0; None does not clip.
        batch_size: examples in a batch; None takes the taskset's, task by task.
        accumulate: batches, each of a task of its own, that make one update; their gradients are averaged.
        precision: `bf16` computes in mixed precision, `fp32` does not; `auto` is `bf16` on a GPU that has it.
        device: `auto` takes a GPU if there is one, `cpu` does not.
        evaluate_every: budget spent between two evaluations of all tasks; None is a tenth of the budget.
        evaluation_size: examples per held-out set in these evaluations, always the same ones; 0 takes all.
        charge_evaluations: whether evaluations during the run use up budget; None charges them if the policy or the
            signal asks for them. The final scores are the report's and never charged.
        gradient_batches: batches per task, at least 2, behind gradients that are measured at an evaluation.
        reference: model behind `reference_loss`, where policy or signal ask for it: `auto` trains one first, by equal
            shares on a fifth of the budget; or the directory of a run on the same tasks, whose newest model is taken.
        workers: processes per task that fetch batches ahead.
        prefetch: decisions made ahead of the batch in training.
        threads: of torch in this process; None leaves them as they are. A resumed run uses as many as before.
        deterministic: use repeatable kernels on a GPU, which may be slower; the processor's are.

    Raises:
        ValueError: a number or word is outside its range.
    """

    learning_rate: float | None = None
    weight_decay: float = 0.01
    schedule: Schedule = "linear"
    warmup: float = 0.0
    clip: float | None = None
    batch_size: int | None = None
    accumulate: int = 1
    precision: Precision = "auto"
    device: Literal["auto", "cpu"] = "auto"
    evaluate_every: float | None = None
    evaluation_size: int = 128
    charge_evaluations: bool | None = None
    gradient_batches: int = 2
    reference: str = "auto"
    workers: int = 0
    prefetch: int = 0
    threads: int | None = None
    deterministic: bool = True

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, ("constant", "linear", "cosine"))
        check_choice("precision", self.precision, ("auto", "fp32", "bf16"))
        check_choice("device", self.device, ("auto", "cpu"))
        check_number("weight_decay", self.weight_decay, low=0.0)
        check_number("warmup", self.warmup, low=0.0, high=1.0, high_open=True)
        for name in ("learning_rate", "clip", "evaluate_every"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), low=0.0, low_open=True)
        for name in ("batch_size", "threads"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), low=1)
        check_integer("accumulate", self.accumulate, low=1)
        check_integer("gradient_batches", self.gradient_batches, low=2)
        for name in ("evaluation_size", "workers", "prefetch"):
            check_integer(name, getattr(self, name), low=0)
