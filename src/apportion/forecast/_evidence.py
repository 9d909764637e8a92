"""What the curves are fitted to: held-out scores, and what training batches told between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import Bools, Floats, Ints
from ._variants import REUSE, Variants, experience, kept, recent_shares, value_and_slope

START, SPAN, SPEED, INTERFERENCE, LINK_START, LINK_SPAN, LINK_SPEED, TRANSFER = range(8)
"""Places of the parameters: start, log span, log speed, interference; for training batches where they start, and the
logs of how far and how fast they rise beside the score; then one transfer for each source."""


@dataclass(slots=True)
class Look:
    """How curves lie to the evidence. H stands for shapes or for draws.

    Attributes:
        residual: (R, H, I, T).
        own: its derivatives by all parameters before TRANSFER, (R, H, I, TRANSFER, T).
        steep: its derivative by the experience; times that from task a it is the one by the transfer from a, which is
            never stored, (R, H, I, T).
    """

    residual: Floats
    own: Floats
    steep: Floats

    def put(self, other: Look, where: Bools) -> None:
        """Take over the rows (R, H, I) of another one."""
        for name in self.__slots__:
            getattr(self, name)[where] = getattr(other, name)[where]

    def at(self, index: tuple[Ints, ...]) -> Look:
        """Some of the rows (R, H, I)."""
        return Look(self.residual[index], self.own[index], self.steep[index])


@dataclass(slots=True)
class Evidence:
    """Rows in the units of the fit: the scores, then what training batches told, turned so that it rises.

    Attributes:
        y: from the first score on, in units of the scale, 0 where not measured, (n_runs, n_tasks, n_rows).
        mask: square root of what each counts, 0 where not measured, the same shape.
        streams: experience, (n_runs, n_streams, n_tasks, n_rows).
        away: how far a task was out of mind, (n_runs, n_tasks, n_rows).
        n_scores: rows that are scores.
        unit: what a whole success, or the fall of a loss to 0, is worth in units of the scale, (n_runs, n_tasks).
        top: largest possible value of a row, inf where there is none, (n_runs, n_tasks).
    """

    y: Floats
    mask: Floats
    streams: Floats
    away: Floats
    n_scores: int
    unit: Floats
    top: Floats

    def rows(self, score: Floats, training: Floats) -> Floats:
        """One value per task for the scores, another for training batches, as (n_runs, n_tasks, n_rows)."""
        n_rows = self.y.shape[2]
        parts = (np.repeat(score[..., None], self.n_scores, axis=2), np.repeat(training[..., None], n_rows, axis=2))
        return np.concatenate(parts, axis=2)[:, :, :n_rows]

    def look(self, theta: Floats, feature: Floats, tail: Floats, y: Floats, *, shared: bool) -> Look:
        """Residuals and their derivatives at parameters (R, H, I, P).

        Training batches follow the curve of their task's score with a start, a span and a speed of their own. As both
        end at the same top, a start further up leaves less to rise: the span is proportional to what is above it.

        Args:
            theta: parameters; H stands for shapes or for draws.
            feature: experience, (R, H, A, T) if all tasks of an H have the same, else (R, H, I, A, T).
            tail: of the shapes, broadcast against (R, H, I, T).
            y: rows to fit, broadcast against (R, H, I, T).
            shared: which of the two forms `feature` has.
        """
        n = self.n_scores
        omega, away, mask = theta[..., TRANSFER:], self.away[:, None], self.mask[:, None]
        taught = omega @ feature if shared else (omega[..., None, :] @ feature)[..., 0, :]
        speed, span, start = (
            np.repeat(theta[..., place, None], taught.shape[-1], -1) for place in (SPEED, SPAN, START)
        )
        if n < taught.shape[-1]:
            speed[..., n:] += theta[..., LINK_SPEED, None]
            span[..., n:] += theta[..., LINK_SPAN, None]
            start[..., n:] = theta[..., LINK_START, None]
        speed, span = np.exp(speed), np.exp(span)
        own_room, own_fall = self._room(theta[..., START])
        room, fall = self._room(theta[..., LINK_START])
        span[..., n:] *= room / own_room
        z = speed * taught
        u, slope = value_and_slope(z, tail)
        loss = 1.0 - theta[..., INTERFERENCE, None] * away
        residual = (start + span * u * loss - y) * mask
        # Weighted before they are spread over the sources, where the arrays are large.
        span *= mask
        grown, steep = span * u * loss, span * slope * loss
        own = np.empty((*z.shape[:-1], TRANSFER, z.shape[-1]))
        own[..., START, :] = mask
        own[..., SPAN, :] = grown
        own[..., SPEED, :] = steep * z
        own[..., INTERFERENCE, :] = -span * u * away
        own[..., LINK_START : LINK_SPEED + 1, :] = 0.0
        own[..., LINK_START, n:] = own[..., START, n:] - grown[..., n:] * fall
        own[..., START, n:] = grown[..., n:] * own_fall
        own[..., LINK_SPAN, n:] = own[..., SPAN, n:]
        own[..., LINK_SPEED, n:] = own[..., SPEED, n:]
        return Look(residual, own, steep * speed)

    def _room(self, start: Floats) -> tuple[Floats, Floats]:
        """What is above a start, 1 where there is no top, and the fall of its log with the start, (R, H, I, 1) both."""
        top = self.top[:, None]
        bounded = np.isfinite(top)
        room, least = np.where(bounded, top - start, 1.0), np.where(bounded, LEAST_ROOM * top, 0.0)
        fall = np.where(bounded & (room > least), 1.0 / np.maximum(room, least), 0.0)
        return np.maximum(room, least)[..., None], fall[..., None]


LEAST_ROOM = 0.05
"""Part of what is above the first score that is left above any start."""


def risen(
    successes: Floats | None, losses: Floats | None, first: Floats, scale: Floats, headroom: Floats
) -> tuple[Floats, Floats] | None:
    """What training batches told, turned so that it rises, in units of the scale, and the unit it was measured in.

    A success s becomes s - first. Where only losses were told, a loss L becomes max(0, 1 - L / L_0), with L_0 the first
    one of the task, times the room above its first score: a loss above L_0 tells of too much confidence, not of a score
    below that of no training at all.

    Args:
        successes: mean success since the evaluation before, NaN where none, (n_runs, n_times, n_tasks), or None.
        losses: mean loss, likewise. Before any training it is the held-out loss.
        first: what scores are measured from, (n_runs, n_tasks).
        scale: unit of scores, (n_runs,).
        headroom: log of the largest possible span in units of the scale, (n_runs, n_tasks).

    Returns:
        Values (n_runs, n_times, n_tasks), NaN where nothing was told, and units (n_runs, n_tasks); None for nothing.
    """
    if successes is not None and np.isfinite(successes).any():
        unit = np.repeat(1.0 / scale[:, None], first.shape[1], axis=1)
        return (successes - first[:, None]) / scale[:, None, None], unit
    if losses is None or not np.isfinite(losses).any():
        return None
    known = np.isfinite(losses)
    begun = np.take_along_axis(np.where(known, losses, 0.0), known.argmax(axis=1)[:, None], axis=1)
    fall = np.maximum(1.0 - losses / np.where(begun > 0, begun, np.nan), 0.0)
    unit = np.where(np.isfinite(headroom), np.exp(np.where(np.isfinite(headroom), headroom, 0.0)), 1.0)
    return fall * unit[:, None], unit


def make_evidence(
    scores: tuple[Floats, Floats],
    told: tuple[Floats, Floats] | None,
    count: Floats,
    counts: Floats,
    epochs: Floats,
    total: Floats,
    memory: Floats,
    variants: Variants,
    top: Floats,
) -> Evidence:
    """Bring scores and what training batches told into rows.

    The mean over the batches of a task between two evaluations is placed half way between them. It counts for as many
    batches as there were, and less and less once the task's data repeat: then it rises without the score.

    Args:
        scores: rows of scores and square roots of what each counts, (n_runs, n_tasks, n_times).
        told: see `risen`.
        count: how much an evaluation counts, (n_runs, 1, n_times).
        counts: decisions for each task up to each evaluation, (n_runs, n_times, n_tasks).
        epochs: passes over each task's data by then, the same shape.
        total: steps of a whole budget, (n_runs,).
        memory: steps over which recent shares count, (n_runs,).
        variants: the shapes.
        top: largest possible value of a row, inf where there is none, (n_runs, n_tasks).
    """
    y, mask = scores
    streams = experience(counts, epochs, total, variants)
    away = 1.0 - kept(recent_shares(counts, memory))[0].transpose(0, 2, 1)
    if told is None:
        return Evidence(
            y, mask, np.ascontiguousarray(streams.swapaxes(2, 3)), away, y.shape[2], np.ones(y.shape[:2]), top
        )
    # Rows without any score, but for the last, where the forecast begins, say nothing.
    rows = np.union1d(np.flatnonzero((mask > 0).any(axis=(0, 1))), [y.shape[2] - 1])
    values, unit = told
    batches = np.diff(counts, axis=1, prepend=0.0)
    usable = np.isfinite(values) & (batches > 0)
    worth = np.where(usable, batches * np.exp(-np.maximum(epochs - 1.0, 0.0) / REUSE), 0.0)
    return Evidence(
        np.concatenate((y[..., rows], np.where(usable, values, 0.0).transpose(0, 2, 1)), axis=2),
        np.concatenate((mask[..., rows], np.sqrt(worth.transpose(0, 2, 1) * count)), axis=2),
        np.ascontiguousarray(np.concatenate((streams[:, :, rows], _middle(streams, 2)), axis=2).swapaxes(2, 3)),
        np.concatenate((away[..., rows], _middle(away, 2)), axis=2),
        len(rows),
        unit,
        top,
    )


def _middle(values: Floats, axis: int) -> Floats:
    """Half way from each evaluation's predecessor to it; the first one itself."""
    before = np.take(values, np.maximum(np.arange(values.shape[axis]) - 1, 0), axis=axis)
    return 0.5 * (before + values)
