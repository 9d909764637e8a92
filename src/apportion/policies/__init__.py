"""Task selection policies: how likely each task is to give the next batch. One file each.

Adding a policy is one line here: its import. Every imported policy that has a name is known by that name.
"""

from .._registry import Registry, exported
from ._base import Family, Policy
from .mixture import Mixture as Mixture
from .proportional import Proportional as Proportional
from .temperature import Temperature as Temperature
from .uniform import Uniform as Uniform

POLICIES: list[type[Policy]] = exported(globals(), Policy)
"""Every policy that this package ships, sorted by name."""

policies = Registry("policy", Policy, "apportion.policies", POLICIES)

__all__ = ["POLICIES", "Family", "Policy", "policies"]
