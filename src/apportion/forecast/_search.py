"""The search for the best shares: exponentiated gradient, all runs at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..records import Floats


def best_shares(
    value: Callable[[Floats], Floats],
    gradient: Callable[[Floats], Floats],
    start: Floats,
    *,
    clip: Callable[[Floats], Floats],
    chunks: int = 24,
    iterations: int = 16,
) -> Floats:
    """Hand out the pieces chunk by chunk to the steepest task, then climb; never ends below `start`.

    The chunks are greedy, which is close to the best for concave objectives; then
    q <- q exp(pace * (g - mean g) / spread of g), made feasible by `clip`; the pace grows after a gain and shrinks
    after
    a loss. For a concave objective this is mirror ascent (Beck and Teboulle 2003, doi 10.1016/S0167-6377(02)00231-6).

    Args:
        value: objective of shares (n_runs, n_segments, n_tasks), shape (n_runs,).
        gradient: its derivative, shaped as the shares.
        start: feasible shares.
        chunks: into which every piece is cut at first.
        clip: makes shares feasible.
        iterations: how many steps.
    """
    given = clip(hand_out(gradient, start.shape, chunks=chunks))
    shares, best = start, value(start)
    greedy = value(given)
    ahead = greedy > best
    shares, best = np.where(ahead[:, None, None], given, start), np.where(ahead, greedy, best)
    pace = np.full(len(start), 0.7)
    slope = gradient(shares)
    for _ in range(iterations):
        level = (slope * shares).sum(axis=2, keepdims=True)
        rise = slope - level
        spread = np.sqrt((shares * rise**2).sum(axis=(1, 2), keepdims=True))
        size = np.where(spread > 1e-300, rise / np.where(spread > 1e-300, spread, 1.0), 0.0)
        tried = shares * np.exp(np.clip(pace[:, None, None] * size, -20.0, 5.0))
        tried = clip(tried / tried.sum(axis=2, keepdims=True))
        new = value(tried)
        better = new > best
        shares = np.where(better[:, None, None], tried, shares)
        slope = np.where(better[:, None, None], gradient(tried), slope)
        best = np.where(better, new, best)
        pace = np.where(better, np.minimum(pace * 1.5, 4.0), pace * 0.4)
        if (pace < 1e-4).all():
            break
    return shares


def hand_out(gradient: Callable[[Floats], Floats], shape: tuple[int, ...], *, chunks: int) -> Floats:
    """Shares (n_runs, n_segments, n_tasks) by handing out every piece chunk by chunk to the steepest task."""
    given = np.full(shape, 1e-4 / shape[2])
    for _ in range(chunks):
        steepest = gradient(given).argmax(axis=2)[:, :, None]
        np.put_along_axis(given, steepest, np.take_along_axis(given, steepest, axis=2) + 1.0 / chunks, axis=2)
    return given / given.sum(axis=2, keepdims=True)
