"""Task selection policies: how likely each task is to give the next batch. One file each.

Adding a policy is one line here: its import. Every imported policy that has a name is known by that name.
"""

from .._registry import Registry, exported
from ._base import Family, Policy
from ._mixture_fit import MixtureFit as MixtureFit
from ._mixture_fit import fit_mixture_regression as fit_mixture_regression
from .achievability_band import AchievabilityBand as AchievabilityBand
from .admission_gate import AdmissionGate as AdmissionGate
from .ado import Ado as Ado
from .aioli import Aioli as Aioli
from .bidirectional_progress import BidirectionalProgress as BidirectionalProgress
from .blend import Blend as Blend
from .coba import CoBa as CoBa
from .cost_aware import CostAware as CostAware
from .counterfactual import Counterfactual as Counterfactual
from .curriculum import Curriculum as Curriculum
from .discounted_ucb import DiscountedUCB as DiscountedUCB
from .doge import DoGE as DoGE
from .doremi import DoReMi as DoReMi
from .dump import DUMP as DUMP
from .epsilon_greedy import EpsilonGreedy as EpsilonGreedy
from .exp3 import Exp3 as Exp3
from .exp3p import Exp3P as Exp3P
from .exp3s import Exp3S as Exp3S
from .exp3s_graves import Exp3SGraves as Exp3SGraves
from .famo import Famo as Famo
from .floor import Floor as Floor
from .function import Function as Function
from .group_dro import GroupDro as GroupDro
from .hold import Hold as Hold
from .l1_a_mtrl import L1AMtrl as L1AMtrl
from .learnability import Learnability as Learnability
from .lin_thompson import LinThompson as LinThompson
from .lin_ucb import LinUCB as LinUCB
from .meta_rtl import MetaRtl as MetaRtl
from .mixture import Mixture as Mixture
from .mixture_regression import MixtureRegression as MixtureRegression
from .mt_grpo import MtGrpo as MtGrpo
from .multi_dds import MultiDds as MultiDds
from .odm import Odm as Odm
from .pdts import Pdts as Pdts
from .performance_gap import PerformanceGap as PerformanceGap
from .phases import Phases as Phases
from .pike import Pike as Pike
from .planner import Planner as Planner
from .power_schedule import PowerSchedule as PowerSchedule
from .prior import Prior as Prior
from .proportional import Proportional as Proportional
from .replay import Replay as Replay
from .round_robin import RoundRobin as RoundRobin
from .sec import SEC as SEC
from .skill_it import SkillIt as SkillIt
from .sliding_window_ucb import SlidingWindowUCB as SlidingWindowUCB
from .stage_gate import StageGate as StageGate
from .stages import Stages as Stages
from .temperature import Temperature as Temperature
from .thompson_beta import ThompsonBeta as ThompsonBeta
from .thompson_gaussian import ThompsonGaussian as ThompsonGaussian
from .tscl_naive import TSCLNaive as TSCLNaive
from .tscl_online import TSCLOnline as TSCLOnline
from .tscl_sampling import TSCLSampling as TSCLSampling
from .tscl_window import TSCLWindow as TSCLWindow
from .ucb1 import UCB1 as UCB1
from .uniform import Uniform as Uniform
from .unimax import UniMax as UniMax
from .warm_up import WarmUp as WarmUp
from .worst_task import WorstTask as WorstTask

POLICIES: list[type[Policy]] = exported(globals(), Policy)
"""Every policy that this package ships, sorted by name."""

policies = Registry("policy", Policy, "apportion.policies", POLICIES)

__all__ = ["POLICIES", "Family", "Policy", "policies"]
