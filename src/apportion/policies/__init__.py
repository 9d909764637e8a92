"""Task selection policies: how likely each task is to give the next batch. One file each."""

from .._registry import Registry
from ._base import Family, Policy

POLICIES: list[type[Policy]] = []

policies = Registry("policy", Policy, "apportion.policies", POLICIES)

__all__ = ["POLICIES", "Family", "Policy", "policies"]
