"""Ready workloads: digits."""

from .digits import digits

__all__ = ["digits"]
