"""Tables compute: pure functions from a setting to rows of numbers, which figures draw and pages print."""

from .differences import Difference, differences
from .given import Forecast, Transfer, Worth, forecasts, transfers, worths
from .intervals import CONFIDENCE, KIND, Mean, mean_over_seeds
from .overlap import EffectiveSize, effective_sizes
from .reach import Reach, Saving, budget_to_reach, reach, savings
from .rewards import Propensity, Reward, propensities, rewards
from .scores import OBJECTIVE, Compared, CurvePoint, Final, compared, curves, finals
from .shares import Share, TotalShare, shares, total_shares
from .training import told_name, training
from .verdict import Sureness, Verdict, verdict

__all__ = [
    "CONFIDENCE",
    "KIND",
    "OBJECTIVE",
    "Compared",
    "CurvePoint",
    "Difference",
    "EffectiveSize",
    "Final",
    "Forecast",
    "Mean",
    "Propensity",
    "Reach",
    "Reward",
    "Saving",
    "Share",
    "Sureness",
    "TotalShare",
    "Transfer",
    "Verdict",
    "Worth",
    "budget_to_reach",
    "compared",
    "curves",
    "differences",
    "effective_sizes",
    "finals",
    "forecasts",
    "mean_over_seeds",
    "propensities",
    "reach",
    "rewards",
    "savings",
    "shares",
    "told_name",
    "total_shares",
    "training",
    "transfers",
    "verdict",
    "worths",
]
