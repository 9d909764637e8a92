"""Where a spending of the rest leads, for every member of the posterior, and which way leads further up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..records import Floats, Ints
from ._members import Members
from ._variants import REUSE, Variants, average_keep, kept, mean_open, mean_ready, mean_worth, value_and_slope

_OF_MEMBERS = ("keep", "worth", "tail")


@dataclass(slots=True)
class Outlook:
    """The scores at the end as a function of the shares of the rest.

    The rest is cut into `n_segments` pieces with constant shares. Shares are of the budget; a piece of b units gives
    task a b * share_a / cost_a batches.

    Attributes:
        members: draws from the posterior.
        keep: what is left of the experience z at the end, (n_runs, n_members, n_tasks).
        worth: z per share of each piece before the rates, (n_runs, n_members, n_tasks, n_segments).
        per_share: batches per share of a piece, relative to dear tasks: 1/cost, (n_runs, n_tasks).
        recent_from: parts of the recent shares at the end that come from now, (n_runs, 1), and from the pieces,
            (n_runs, n_segments).
        recent: recent shares now, (n_runs, n_tasks).
        tail: of the shape of each member, (n_runs, n_members, n_tasks).
        epochs: passes over the data of each task now, (n_runs, n_tasks).
        passes: passes over the data of each task that a whole piece makes, 0 where its size is unknown,
            (n_runs, n_segments, n_tasks).
    """

    members: Members
    keep: Floats
    worth: Floats
    per_share: Floats
    recent_now: Floats
    recent_from: Floats
    recent: Floats
    tail: Floats
    epochs: Floats
    passes: Floats

    @classmethod
    def of(
        cls,
        members: Members,
        *,
        pieces: Floats,
        costs: Floats,
        done: Floats,
        total: Floats,
        recent: Floats,
        memory: Floats,
        epochs: Floats,
        per_batch: Floats,
        variants: Variants,
    ) -> Outlook:
        """The outlook on a rest of the budget.

        Args:
            members: draws from the posterior.
            pieces: budget of each piece, (n_runs, n_segments).
            costs: of a batch, (n_runs, n_tasks).
            done: steps so far, (n_runs,).
            total: steps of a whole budget, (n_runs,).
            recent: recent shares now, (n_runs, n_tasks).
            memory: steps over which recent shares count, (n_runs,).
            epochs: passes over the data of each task now, (n_runs, n_tasks).
            per_batch: passes that a batch makes, 0 where sizes are unknown, (n_runs, n_tasks).
            variants: the shapes.
        """
        n_tasks = costs.shape[1]
        steps = pieces / costs.mean(axis=1, keepdims=True)  # (R, S), if all were drawn alike
        ends = done[:, None] + np.cumsum(steps, axis=1)
        fading = variants.rows[:, 0][None, :, None]
        plateau = variants.rows[:, 1][None, :, None]
        late = variants.rows[:, 2][None, :, None]
        gone = fading * (steps / total[:, None])[:, None]  # (R, F, S)
        after = fading * ((ends[:, -1:] - ends) / total[:, None])[:, None]
        ready = np.where(
            plateau != 0,
            mean_ready(
                (ends - steps)[:, None], ends[:, None], np.where(plateau != 0, plateau, 1.0) * total[:, None, None]
            ),
            1.0,
        )
        unit = (total / n_tasks)[:, None]
        ready = ready * mean_open((ends - steps)[:, None], ends[:, None], late * total[:, None, None])
        worth = np.exp(-after) * average_keep(gone) * ready * (pieces / unit)[:, None]  # (R, F, S)
        stream = variants.streams[members.variant]
        rows = np.arange(len(pieces))[:, None, None]
        ago = np.exp(-(ends[:, -1:] - ends) / memory[:, None])
        begun = np.exp(-(ends[:, -1:] - ends + steps) / memory[:, None])
        return cls(
            members=members,
            keep=np.exp(-gone.sum(axis=2))[rows, stream],
            worth=worth[rows, stream],
            per_share=1.0 / costs,
            recent_now=np.exp(-steps.sum(axis=1) / memory)[:, None],
            recent_from=ago - begun,
            recent=recent,
            tail=variants.tail[members.variant],
            epochs=epochs,
            passes=pieces[:, :, None] * (per_batch / costs)[:, None],
        )

    def scores(self, shares: Floats) -> Floats:
        """Scores at the end, (n_runs, n_members, n_tasks), for shares of (n_runs, n_segments, n_tasks)."""
        return self._look(shares, self._amounts(shares)[0])[0]

    def pick(self, which: Ints) -> Outlook:
        """The outlook of some of the members only."""
        m = self.members
        members = Members(*(getattr(m, name)[:, which] for name in Members.__dataclass_fields__))
        changed = {name: getattr(self, name)[:, which] for name in _OF_MEMBERS}
        return replace(self, members=members, **changed)

    def single(self) -> Outlook:
        """The outlook with every member as a run of its own, (n_runs * n_members) runs."""
        m, n_members = self.members, self.members.at.shape[1]

        def apart(value: Any) -> Any:
            return value.reshape(-1, 1, *value.shape[2:])

        members = Members(*(apart(getattr(m, name)) for name in Members.__dataclass_fields__))
        own = {name: apart(getattr(self, name)) for name in _OF_MEMBERS}
        others = ("per_share", "recent_now", "recent_from", "recent", "epochs", "passes")
        return replace(
            self, members=members, **own, **{name: np.repeat(getattr(self, name), n_members, axis=0) for name in others}
        )

    def gradient(self, shares: Floats, towards: Floats) -> Floats:
        """Mean over the members of the derivative of sum_i towards_i score_i by the shares, shaped as `shares`."""
        amounts, slopes = self._amounts(shares)
        _, by_z, by_recent, recent_slope = self._look(shares, amounts)
        n_runs, n_members, n_tasks = by_z.shape
        weighted = (towards * by_z)[..., None] * self.worth  # (R, M, I, S)
        flat = weighted.reshape(n_runs, n_members * n_tasks, -1).swapaxes(1, 2)
        found = flat @ self.members.rate.reshape(n_runs, n_members * n_tasks, n_tasks) / n_members
        found = found * slopes
        drawn = shares * self.per_share[:, None]
        whole = drawn.sum(axis=2, keepdims=True)
        by = ((towards * by_recent).mean(axis=1) * recent_slope)[:, None]
        inner = (by - (by * drawn / whole).sum(axis=2, keepdims=True)) * self.recent_from[:, :, None]
        return found + inner * self.per_share[:, None] / whole

    def _amounts(self, shares: Floats) -> tuple[Floats, Floats]:
        """Batches of each task in each piece, repeated ones at their worth, and their derivative by the shares."""
        drawn = shares * self.per_share[:, None]
        if not self.passes.any():
            return drawn, np.broadcast_to(self.per_share[:, None], drawn.shape)
        made = shares * self.passes
        end = self.epochs[:, None] + np.cumsum(made, axis=1)
        worth = mean_worth(end - made, end, REUSE)
        # The derivative leaves out that a piece also uses up the data of later ones.
        return drawn * worth, self.per_share[:, None] * np.exp(-np.maximum(end - 1.0, 0.0) / REUSE)

    def _look(self, shares: Floats, amounts: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        members = self.members
        n_runs, n_members, n_tasks = members.at.shape
        rate = members.rate.reshape(n_runs, n_members * n_tasks, n_tasks)
        each = (rate @ amounts.swapaxes(1, 2)).reshape(n_runs, n_members, n_tasks, -1)
        z = self.keep * members.at + (each * self.worth).sum(axis=-1)
        u, slope = value_and_slope(z, self.tail)
        drawn = shares * self.per_share[:, None]
        step_share = drawn / drawn.sum(axis=2, keepdims=True)
        recent = self.recent_now * self.recent + (self.recent_from[:, :, None] * step_share).sum(axis=1)
        mind, mind_slope = kept(recent)
        held = 1.0 - members.interference * (1.0 - mind[:, None])
        return (
            members.start + members.span * u * held,
            members.span * slope * held,
            members.span * u * members.interference,
            mind_slope,
        )
