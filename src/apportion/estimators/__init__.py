"""Off-policy estimators: what other choices would have earned per step, from a log of decisions.

An estimator is a function (logged, target probabilities, *, options) -> scores, one per round, whose mean is the
estimate; an interval is a function (scores, *, confidence) -> (lower, upper). `evaluate` puts the two together. All
of them answer `per_step` questions: see `docs/estimands.md` for what that means and `docs/off_policy.md` for what it
cannot tell.
"""

from ._choices import (
    ASYMPTOTIC,
    BOUNDED,
    ESTIMATORS,
    INTERVALS,
    MIN_EFFECTIVE_SAMPLE_SIZE,
    Estimator,
    Interval,
)
from ._inputs import importance_weights
from ._pareto import pareto_k
from .adaptive_dr import adaptive_dr
from .anytime import anytime, off_policy_sequence
from .arrays import from_arrays, from_obp
from .betting import betting
from .block_bootstrap import automatic_block_length, block_bootstrap
from .bootstrap import bootstrap
from .by_context import Regressor, by_context
from .by_task import by_task
from .clipped_ips import clipped_ips
from .clopper_pearson import clopper_pearson
from .diagnostics import Diagnostics, diagnose
from .direct_method import direct_method
from .dr import dr
from .empirical_bernstein import empirical_bernstein
from .evaluate import effective_sample_size, evaluate
from .ips import ips
from .learning_curve import learning_curve
from .loggers import balanced_dr, balanced_ips, weighted_dr, weighted_ips
from .mrdr import mrdr
from .normal import normal
from .overlap import check_overlap, restrict_to_overlap
from .parquet import parquet_chunks
from .shrinkage_dr import shrinkage_dr
from .slope import choose_threshold, slope
from .sndr import sndr
from .snips import snips
from .stream import STREAMED, STREAMED_INTERVALS, StreamedEvaluation, evaluate_stream
from .sub_gaussian import sub_gaussian_dr, sub_gaussian_ips
from .switch_dr import switch_dr
from .windowed import windowed

__all__ = [
    "ASYMPTOTIC",
    "BOUNDED",
    "ESTIMATORS",
    "INTERVALS",
    "MIN_EFFECTIVE_SAMPLE_SIZE",
    "STREAMED",
    "STREAMED_INTERVALS",
    "Diagnostics",
    "Estimator",
    "Interval",
    "Regressor",
    "StreamedEvaluation",
    "adaptive_dr",
    "anytime",
    "automatic_block_length",
    "balanced_dr",
    "balanced_ips",
    "betting",
    "block_bootstrap",
    "bootstrap",
    "by_context",
    "by_task",
    "check_overlap",
    "choose_threshold",
    "clipped_ips",
    "clopper_pearson",
    "diagnose",
    "direct_method",
    "dr",
    "effective_sample_size",
    "empirical_bernstein",
    "evaluate",
    "evaluate_stream",
    "from_arrays",
    "from_obp",
    "importance_weights",
    "ips",
    "learning_curve",
    "mrdr",
    "normal",
    "off_policy_sequence",
    "pareto_k",
    "parquet_chunks",
    "restrict_to_overlap",
    "shrinkage_dr",
    "slope",
    "sndr",
    "snips",
    "sub_gaussian_dr",
    "sub_gaussian_ips",
    "switch_dr",
    "weighted_dr",
    "weighted_ips",
    "windowed",
]
