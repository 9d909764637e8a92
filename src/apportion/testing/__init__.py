"""Checks for your own policies, signals and estimators: the ones that every built-in passes.

>>> from apportion.policies import policies
>>> from apportion.testing import check_policy
>>> check_policy(policies.make("uniform"), updates=100)
"""

from ._estimator import check_estimator as check_estimator
from ._policy import check_policy as check_policy
from ._script import TASKS as TASKS
from ._signal import check_signal as check_signal
