"""Task selection policies: how likely each task is to give the next batch. One file each.

Adding a policy is one line here: its import. Every imported policy that has a name is known by that name.
"""

from .._registry import Registry, exported
from ._base import Family, Policy
from .blend import Blend as Blend
from .cost_aware import CostAware as CostAware
from .curriculum import Curriculum as Curriculum
from .floor import Floor as Floor
from .function import Function as Function
from .hold import Hold as Hold
from .mixture import Mixture as Mixture
from .phases import Phases as Phases
from .power_schedule import PowerSchedule as PowerSchedule
from .prior import Prior as Prior
from .proportional import Proportional as Proportional
from .round_robin import RoundRobin as RoundRobin
from .stages import Stages as Stages
from .temperature import Temperature as Temperature
from .uniform import Uniform as Uniform
from .unimax import UniMax as UniMax
from .warm_up import WarmUp as WarmUp

POLICIES: list[type[Policy]] = exported(globals(), Policy)
"""Every policy that this package ships, sorted by name."""

policies = Registry("policy", Policy, "apportion.policies", POLICIES)

__all__ = ["POLICIES", "Family", "Policy", "policies"]
