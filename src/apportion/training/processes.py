"""The processes that train together: one, or several that Accelerate started."""

from __future__ import annotations

import atexit
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from .settings import Precision


def _leave_group() -> None:
    """A process that ends while its group is open may be aborted on its way out, after all was done."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class Processes:
    """Device, precision and sums over processes.

    Under `accelerate launch` every process draws the same tasks, trains on its part of each batch, and gradients and
    measurements are summed over all of them.

    Args:
        device: `auto` or `cpu`.
        precision: `auto`, `fp32` or `bf16`.

    Attributes:
        device: of this process.
        rank: number of this process.
        world: number of processes.
        precision: the one used, `fp32` or `bf16`.
    """

    def __init__(self, device: str = "auto", precision: Precision = "auto") -> None:
        # Accelerate starts several processes without a GPU only if it is told that there is none.
        has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
        accelerator = Accelerator(cpu=device == "cpu" or not has_gpu)
        self._accelerator = accelerator
        self.device: torch.device = torch.device("cpu") if device == "cpu" else accelerator.device
        self.rank: int = accelerator.process_index
        self.world: int = accelerator.num_processes
        if self.world > 1:
            atexit.register(_leave_group)
        capable = self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        self.precision = ("bf16" if capable else "fp32") if precision == "auto" else precision

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision where it is used."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes, in one message."""
        if self.world == 1:
            return
        gradients = [torch.zeros_like(item) if item.grad is None else item.grad for item in parameters]
        flat = self.sum_tensor(torch.cat([item.reshape(-1) for item in gradients]))
        start = 0
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = flat[start : start + gradient.numel()].view_as(gradient).clone()
            start += gradient.numel()

    def sum_values(self, values: list[float]) -> list[float]:
        """Sums of numbers over the processes, the same in each of them."""
        if self.world == 1:
            return values
        return self.sum_tensor(torch.tensor(values, dtype=torch.float64, device=self.device)).tolist()

    def wait(self) -> None:
        """Wait until every process is here."""
        self._accelerator.wait_for_everyone()

    def sum_tensor(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        if self.world == 1:
            return values
        return self._accelerator.reduce(values, reduction="sum")  # pyright: ignore[reportReturnType]


def make_repeatable(device: torch.device) -> None:
    """Choose kernels that give the same bits each time; only a GPU has others."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
