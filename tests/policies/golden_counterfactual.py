"""Golden rows of the counterfactual policy and of its linear competitors."""

from math import asin, exp, pi

from apportion.policies import Counterfactual, LinThompson, LinUCB
from apportion.records import Task
from policies.golden import At, Row, Update, tasks

ZEROS = (0.0,) * 7


def mixed(values, exploration):
    total = sum(values)
    return [(1 - exploration) * value / total + exploration / len(values) for value in values]


def largest_of_three(first, second, third):
    """P(X_1 is the largest) of independent X_i ~ N(0, s_i^2): both differences are positive, an orthant probability."""
    correlation = first**2 / ((first**2 + second**2) * (first**2 + third**2)) ** 0.5
    return 0.25 + asin(correlation) / (2 * pi)


ROWS = [
    Row(
        Counterfactual(prior=(*ZEROS, 1.0), visits=0, exploration=0.05, warm_up=0.0, even=0.0),
        [Task(name="a", size=100), Task(name="b", size=400)],
        [],
        mixed([100, 400], 0.05),
        "by hand: exp(ln size), mixed with 0.05 of uniform",
    ),
    Row(
        Counterfactual(
            prior=(0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0), visits=0, exploration=0.0, warm_up=0.0, even=0.0
        ),
        tasks(2),
        [Update(0, 0.3, [0.5, 0.5]), *[Update(1, 0.1, [0.5, 0.5])] * 3],
        mixed([1 / 2, 1 / 4], 0.0),
        "by hand: exp(-ln(1 + count)) with counts 1 and 3",
    ),
    Row(
        Counterfactual(visits=1, even=0.0),
        tasks(4),
        [Update(0, 0.3, [0.25] * 4), Update(2, 0.3, [0.25] * 4)],
        [0.025, 0.475, 0.025, 0.475],
        "by hand: nine tenths on the two tasks that were not seen, a tenth on all four",
    ),
    Row(
        Counterfactual(prior=(2.0, *ZEROS), visits=0, exploration=0.0, warm_up=1.0, even=0.0),
        tasks(2),
        [Update(0, 0.3, [0.5, 0.5]), Update(1, 0.1, [0.5, 0.5])],
        [0.75, 0.25],
        "by hand: (0.3 / 0.1) to the power 2 * 1 / (1 + 1), as every task was seen once on average",
    ),
    Row(
        Counterfactual(prior=(0.0, *ZEROS), visits=0, exploration=0.0, even=0.5),
        tasks(2),
        [Update(0, 0.3, [0.5, 0.5])],
        mixed([exp(-0.245), exp(0.245)], 0.0),
        "by hand: the first is 0.98 * 0.5 draws ahead, the second as much behind",
    ),
    Row(
        LinUCB(visits=0),
        tasks(3),
        [Update(0, 0.3, [1 / 3] * 3)],
        [0.95 + 0.05 / 3, 0.05 / 3, 0.05 / 3],
        "by hand: theta is 0, and every centred feature of the task drawn is twice as far from 0 as those of the rest",
    ),
    Row(
        LinThompson(visits=0),
        tasks(3),
        [At(fields={"counts": [1, 1, 1], "costs": [1.0, 2.5, 2.5]})],
        [
            0.95 * share + 0.05 / 3
            for share in (
                largest_of_three(2.0, 0.8, 0.8),
                (1 - largest_of_three(2.0, 0.8, 0.8)) / 2,
                (1 - largest_of_three(2.0, 0.8, 0.8)) / 2,
            )
        ],
        "orthant probability: deviations of 1 divided by the prices 0.5, 1.25 and 1.25",
        tolerance=1e-6,
    ),
]
