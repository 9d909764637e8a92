"""Text as a model sees it: tokens of one text or of a pair, of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..records import Ints
from ..training import Batch
from ..training.examples import digest


@dataclass(slots=True)
class Tokens:
    """Tokens of many texts, end to end.

    Attributes:
        ids: of all tokens, shape (total,).
        kinds: first or second text of a pair, shape (total,); None where the model does not ask.
        offsets: where each text starts, and the total, shape (n + 1,).
    """

    ids: NDArray[np.int32]
    kinds: NDArray[np.int8] | None
    offsets: Ints

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, shape (n,)."""
        return np.diff(self.offsets)

    def places(self, numbers: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Where the tokens of these texts lie, padded to the longest: places and mask, each (n, longest)."""
        return padded(self.offsets, numbers)


def padded(offsets: Ints, numbers: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Places of ragged rows in one flat array, padded to the longest by place 0: places and mask, each (n, longest)."""
    starts, lengths = offsets[numbers], offsets[numbers + 1] - offsets[numbers]
    columns = np.arange(int(lengths.max()))
    mask = columns[None, :] < lengths[:, None]
    return np.where(mask, starts[:, None] + columns[None, :], 0), mask


def tokenize(tokenizer: Any, texts: Sequence[Sequence[str]], max_length: int) -> Tokens:
    """Tokens of texts given column by column: one column, or two for pairs."""
    made = tokenizer(*[list(column) for column in texts], truncation=True, max_length=max_length)
    ids: list[list[int]] = made["input_ids"]
    kinds: list[list[int]] | None = made.get("token_type_ids")
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    return Tokens(
        ids=np.concatenate([np.array(row, dtype=np.int32) for row in ids]),
        kinds=None if kinds is None else np.concatenate([np.array(row, dtype=np.int8) for row in kinds]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


@dataclass(slots=True)
class TokenExamples:
    """Labelled texts as tokens, padded batch by batch.

    Args:
        tokens: of the texts.
        targets: labels, shape (n,).
        pad: token that fills up short texts.
    """

    tokens: Tokens
    targets: Tensor
    pad: int

    def __len__(self) -> int:
        return self.targets.shape[0]

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, shape (n,)."""
        return self.tokens.lengths

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        places, mask = self.tokens.places(numbers)
        inputs = {
            "input_ids": torch.from_numpy(np.where(mask, self.tokens.ids[places], self.pad).astype(np.int64)),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        }
        if self.tokens.kinds is not None:
            inputs["token_type_ids"] = torch.from_numpy(np.where(mask, self.tokens.kinds[places], 0).astype(np.int64))
        return Batch(inputs, self.targets[torch.from_numpy(numbers)], len(numbers), int(mask.sum()))

    def labels(self) -> NDArray[Any]:
        """All labels, shape (n,)."""
        return self.targets.numpy()

    def checksum(self) -> str:
        """SHA-256 of tokens and labels."""
        kinds = [] if self.tokens.kinds is None else [self.tokens.kinds]
        return digest([self.tokens.ids, *kinds, self.tokens.offsets, self.targets.numpy()])


@dataclass(slots=True)
class HiddenExamples:
    """Labelled texts as the outputs of frozen layers, one vector per token, kept in a file.

    Args:
        states: of all tokens, end to end, shape (total, width).
        offsets: where each text starts, and the total, shape (n + 1,).
        targets: labels, shape (n,).
        source: SHA-256 of what the states were computed from.
    """

    states: NDArray[np.float16]
    offsets: Ints
    targets: Tensor
    source: str

    def __len__(self) -> int:
        return self.targets.shape[0]

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, shape (n,)."""
        return np.diff(self.offsets)

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        places, mask = padded(self.offsets, numbers)
        hidden = torch.from_numpy(self.states[places].astype(np.float32))
        inputs = {"hidden": hidden, "attention_mask": torch.from_numpy(mask.astype(np.int64))}
        return Batch(inputs, self.targets[torch.from_numpy(numbers)], len(numbers), int(mask.sum()))

    def labels(self) -> NDArray[Any]:
        """All labels, shape (n,)."""
        return self.targets.numpy()

    def checksum(self) -> str:
        """SHA-256 of what the states were computed from, and of the labels."""
        return digest([np.frombuffer(self.source.encode(), np.uint8), self.targets.numpy()])


@dataclass(slots=True)
class PairExamples:
    """Labelled texts, or pairs of them, as vectors of a frozen encoder.

    A pair of vectors (u, v) becomes [u, v, |u - v|, u * v]; a single text [u, 0, 0, 0].

    Args:
        vectors: of the distinct texts, shape (m, width).
        rows: which vectors each example has, shape (n, 1) or (n, 2).
        targets: labels, shape (n,).
        counts: tokens of each example, shape (n,).
        source: SHA-256 of what the vectors were computed from.
    """

    vectors: Tensor
    rows: Ints
    targets: Tensor
    counts: Ints
    source: str

    def __len__(self) -> int:
        return self.targets.shape[0]

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        chosen = torch.from_numpy(self.rows[numbers])
        first = self.vectors[chosen[:, 0]]
        if chosen.shape[1] == 2:
            second = self.vectors[chosen[:, 1]]
            inputs = torch.cat([first, second, (first - second).abs(), first * second], dim=1)
        else:
            inputs = torch.cat([first, torch.zeros(len(first), 3 * first.shape[1])], dim=1)
        return Batch(inputs, self.targets[torch.from_numpy(numbers)], len(numbers), int(self.counts[numbers].sum()))

    def labels(self) -> NDArray[Any]:
        """All labels, shape (n,)."""
        return self.targets.numpy()

    def checksum(self) -> str:
        """SHA-256 of what the vectors were computed from, and of the labels."""
        return digest([np.frombuffer(self.source.encode(), np.uint8), self.rows, self.targets.numpy()])
