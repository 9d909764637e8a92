"""Golden rows of the planner."""

import math

from apportion.policies.planner import Planner
from apportion.records import Task
from policies.golden import At, Observe, Row

TASKS = [Task(name="a"), Task(name="b")]
UP = math.exp(0.6) / (math.exp(0.6) + math.exp(-0.6))
HALF = math.exp(0.3) / (math.exp(0.3) + math.exp(-0.3))

ROWS = [
    Row(
        policy=Planner(),
        tasks=TASKS,
        events=[],
        expected=[0.96 * UP + 0.02, 0.96 * (1 - UP) + 0.02],
        source="by hand: equal shares times exp(+-0.6) by the first Walsh pattern, then a floor of 0.04",
    ),
    Row(
        policy=Planner(),
        tasks=TASKS,
        events=[At(step=10, spent=250.0)],
        expected=[0.96 * HALF + 0.02, 0.96 * (1 - HALF) + 0.02],
        source="by hand: at a quarter of the budget the variation has half its strength",
    ),
    Row(
        policy=Planner(safe={"a": 3, "b": 1}),
        tasks=TASKS,
        events=[Observe([0.1, 0.2]), At(step=600, spent=600.0, fields={"counts": [300, 300]}), Observe([0.3, 0.2])],
        expected=[0.96 * 0.75 + 0.02, 0.96 * 0.25 + 0.02],
        source="by hand: two evaluations are too few for a fit, so the safe shares stay, and variation is over",
    ),
    Row(
        policy=Planner(),
        tasks=TASKS,
        events=[
            Observe([0.5, 0.5]),
            At(step=300, spent=300.0, fields={"counts": [150, 150]}),
            Observe([0.5, 0.5]),
            At(step=600, spent=600.0, fields={"counts": [300, 300]}),
            Observe([0.5, 0.5]),
        ],
        expected=[0.5, 0.5],
        source="by symmetry: two tasks that scored the same all along share alike",
        tolerance=0.02,
    ),
]
