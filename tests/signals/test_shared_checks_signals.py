"""Every signal that the package ships keeps the promises of `check_signal`; broken ones are found."""

import doctest
import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from apportion.signals import SIGNALS, Signal
from apportion.testing import check_signal


@pytest.mark.parametrize("signal", [item for cls in SIGNALS for item in cls.examples()], ids=repr)
def test_signal_keeps_its_promises(signal):
    check_signal(signal)


@pytest.mark.parametrize("cls", SIGNALS, ids=lambda cls: cls.name)
def test_examples_in_the_docstring_run(cls):
    assert doctest.testmod(sys.modules[cls.__module__]).failed == 0


@pytest.mark.parametrize("cls", SIGNALS, ids=lambda cls: cls.name)
def test_signal_describes_itself(cls):
    assert cls.source
    assert cls.__doc__
    assert list(cls.examples()), "without an example nothing is checked"


@dataclass(kw_only=True)
class Running(Signal):
    """A sound signal: the loss against its running mean."""

    name: ClassVar[str] = "running"
    needs: ClassVar[frozenset[str]] = frozenset({"loss"})

    def reset(self, tasks, n_runs=1):
        self.mean_ = np.zeros(n_runs)

    def reward(self, chosen, measured):
        answer = measured["loss"] - self.mean_
        self.mean_ = np.where(np.isfinite(answer), self.mean_ + 0.1 * np.nan_to_num(answer), self.mean_)
        return answer


class Poisoned(Running):
    def reward(self, chosen, measured):
        answer = measured["loss"] - self.mean_
        self.mean_ = self.mean_ + 0.1 * answer
        return answer


class Exploding(Running):
    def reward(self, chosen, measured):
        return np.where(measured["loss"] == 0, np.inf, measured["loss"])


class Pooling(Running):
    def reward(self, chosen, measured):
        return measured["loss"] - measured["loss"].mean()


class Positional(Running):
    def reward(self, chosen, measured):
        return measured["loss"] * (1 + chosen)


class Overwriting(Running):
    def reward(self, chosen, measured):
        measured["loss"] *= 2
        return measured["loss"].copy()


class Silent(Running):
    def reward(self, chosen, measured):
        return np.full(len(chosen), np.nan)


class Unknown(Running):
    needs: ClassVar[frozenset[str]] = frozenset({"mood"})


class Hiding(Running):
    def reset(self, tasks, n_runs=1):
        self.mean_ = np.zeros(n_runs)
        self.hidden = np.zeros(n_runs)

    def reward(self, chosen, measured):
        self.hidden = self.hidden + np.nan_to_num(measured["loss"])
        return self.hidden.copy()


def test_a_sound_signal_passes():
    check_signal(Running())


@pytest.mark.parametrize(
    ("signal", "promise"),
    [
        (Poisoned(), "recovers"),
        (Exploding(), "never gives an infinite reward"),
        (Pooling(), "n single runs"),
        (Positional(), "order of the tasks"),
        (Overwriting(), "leaves the arrays"),
        (Silent(), "finite rewards"),
        (Unknown(), "declares name"),
        (Hiding(), "resumes exactly"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Signal) else "",
)
def test_a_broken_promise_is_named(signal, promise):
    with pytest.raises(AssertionError, match=promise) as caught:
        check_signal(signal)
    assert type(signal).__name__ in str(caught.value)
