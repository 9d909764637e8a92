"""Golden rows of the planner."""

from apportion.policies.planner import Planner
from apportion.records import Task
from policies.golden import At, Observe, Row

TASKS = [Task(name="a"), Task(name="b")]

ROWS = [
    Row(
        policy=Planner(),
        tasks=TASKS,
        events=[],
        expected=[0.5, 0.5],
        source="by hand: the tour begins with the first evaluation after training began",
    ),
    Row(
        policy=Planner(),
        tasks=TASKS,
        events=[
            Observe([0.1, 0.2]),
            At(step=400, spent=400.0, fields={"counts": [200, 200]}),
            Observe([0.2, 0.2]),
        ],
        expected=[0.96 * (63 / 128 + 1 / 64) + 0.02, 0.96 * 63 / 128 + 0.02],
        source="by hand: a quarter of a block is to come until half of the budget, so its part is (0.25 / 2)^2 = 1/64",
    ),
    Row(
        policy=Planner(),
        tasks=TASKS,
        events=[
            Observe([0.1, 0.2]),
            At(step=100, spent=100.0, fields={"counts": [50, 50]}),
            Observe([0.2, 0.2]),
        ],
        expected=[0.98, 0.02],
        source="by hand: four blocks are to come for two tasks, so the first belongs to one of them, but for the floor",
    ),
    Row(
        policy=Planner(safe={"a": 3, "b": 1}),
        tasks=TASKS,
        events=[Observe([0.1, 0.2]), At(step=600, spent=600.0, fields={"counts": [300, 300]}), Observe([0.3, 0.2])],
        expected=[0.96 * 0.75 + 0.02, 0.96 * 0.25 + 0.02],
        source="by hand: two evaluations are too few for a fit, so the safe shares stay, and the tour is over",
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
