"""Tensors of a checkpoint: model, optimizer and random states, written as safetensors and read as data only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ..component import decode, encode
from ..errors import CheckpointError
from .model import MultitaskModel, make_model
from .taskset import Taskset

_FILE = "tensors.safetensors"


def write_tensors(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors into a checkpoint folder.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    # Tensors that share memory, such as tied weights, are written once each; loading copies into the model's own.
    data = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    (folder / _FILE).write_bytes(safetensors.torch.save(data))


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint folder; no code is run.

    Raises:
        CheckpointError: the file is missing or not what `write_tensors` writes.
    """
    try:
        return safetensors.torch.load((folder / _FILE).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"'{folder / _FILE}' cannot be read ({error}): take an older checkpoint.") from error


def pack_model(model: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers of a model by name."""
    return {f"model/{name}": value for name, value in model.state_dict().items()}


def unpack_model(model: nn.Module, tensors: Mapping[str, Tensor], *, partly: bool = False) -> None:
    """Copy what `pack_model` gave into a model.

    Args:
        model: to fill.
        tensors: of the checkpoint.
        partly: accept that some weights are on one side only, which then stay or are dropped.

    Raises:
        CheckpointError: a weight has another shape, or is on one side only.
    """
    saved = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    own = model.state_dict()
    odd = sorted(own.keys() ^ saved.keys())
    if odd and not partly:
        raise CheckpointError(f"the checkpoint belongs to another model: it differs in {', '.join(odd[:5])}.")
    for name, value in saved.items():
        if name in own and own[name].shape != value.shape:
            raise CheckpointError(
                f"the checkpoint belongs to another model: {name} has the shape {tuple(value.shape)}, "
                f"not {tuple(own[name].shape)}."
            )
    with torch.no_grad():
        for name, value in saved.items():
            if name in own:
                own[name].copy_(value)


def load_model(taskset: Taskset, folder: Path) -> MultitaskModel:
    """The model of a checkpoint folder, for use after training or as a reference model.

    Raises:
        CheckpointError: the folder holds no model, or that of another taskset.
    """
    model = make_model(taskset, seed=0)
    unpack_model(model, read_tensors(folder))
    return model.eval()


def pack_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of an optimizer by names of weights: tensors, and the rest as data that JSON can hold."""
    tensors: dict[str, Tensor] = {}
    rest: dict[str, Any] = {}
    for name, parameter in model.named_parameters():
        for key, value in cast("dict[str, Any]", optimizer.state.get(parameter, {})).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{name}/{key}"] = value
            else:
                rest[f"{name}/{key}"] = encode(value)
    return tensors, rest


def unpack_optimizer(
    optimizer: torch.optim.Optimizer, model: nn.Module, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> None:
    """Take over what `pack_optimizer` gave; weights that it does not name start anew."""
    named = dict(model.named_parameters())
    optimizer.state.clear()
    for full, value in tensors.items():
        kind, _, place = full.partition("/")
        name, _, key = place.rpartition("/")
        if kind == "optimizer" and name in named:
            # The step counters of unfused optimizers stay on the processor; everything else follows its weight.
            on_host = key == "step" and not optimizer.defaults.get("fused")
            device = torch.device("cpu") if on_host else named[name].device
            optimizer.state[named[name]][key] = value.to(device, copy=True)
    for place, value in rest.items():
        name, _, key = place.rpartition("/")
        if name in named:
            optimizer.state[named[name]][key] = decode(value)
