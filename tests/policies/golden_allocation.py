"""Golden rows of the allocation policies and of the gates."""

from math import exp, sqrt

from scipy.special import ndtr

from apportion.policies import (
    AchievabilityBand,
    AdmissionGate,
    L1AMtrl,
    MetaRtl,
    Mixture,
    Pdts,
    Replay,
    StageGate,
    Uniform,
    WorstTask,
)
from apportion.records import Task
from policies.golden import At, Observe, Row, Update, tasks

NAN = float("nan")


def shares(*values):
    return [value / sum(values) for value in values]


def mixed(values, exploration):
    return [(1 - exploration) * value + exploration / len(values) for value in values]


# Orthonormal features, so the Lasso is soft thresholding: the target (3, 1) at a fifth of the largest product 3 gives
# (2.4, 0.4), and the ridge of 1e-6 divides both by the same number.
DESCRIBED = [
    Task(name="a", features=(1.0, 0.0)),
    Task(name="b", features=(0.0, 1.0)),
    Task(name="t", features=(3.0, 1.0)),
]
# Two stretches of 10 decisions each on one task alone add 0.2 and 0.1 to the score of a, the only one that counts.
PRIMARY = [Task(name="a"), Task(name="b", priority=0.0)]
STRETCHES = [
    Observe([0.5, 0.5]),
    At(fields={"counts": [10, 0]}),
    Observe([0.7, 0.5]),
    At(fields={"counts": [10, 10]}),
    Observe([0.8, 0.5]),
]

L1 = [
    Row(
        L1AMtrl(relevance="features", target="t", penalty=0.2, own=0.3, explore=0.0, floor=1e-9),
        DESCRIBED,
        [],
        [0.7 * 2.4 / 2.8, 0.7 * 0.4 / 2.8, 0.3],
        "by hand: soft thresholding",
        1e-8,
    ),
    Row(
        L1AMtrl(relevance="features", target="t", penalty=0.2, own=0.3, explore=0.0, floor=1e-9),
        DESCRIBED,
        [At(fields={"counts": [2, 2, 2], "costs": [8, 2, 2]})],
        shares(0.7 * 2.4 / 2.8 / 4, 0.7 * 0.4 / 2.8, 0.3),
        "by hand: a decision for a costs four times as much",
        1e-8,
    ),
    Row(
        L1AMtrl(relevance="evaluation", explore=0.2, floor=0.1),
        tasks(3),
        [Observe([0, 0, 0], {"relevance": [3.0, -1.0, 0.0]}), At(spent=300)],
        shares(0.75, 0.25, 0.1),
        "by hand: |v| normalised, then the floor",
    ),
    Row(
        L1AMtrl(explore=0.2, penalty=0.1, floor=1e-9),
        PRIMARY,
        [*STRETCHES, At(spent=300)],
        # Unit features: c = (0.2, 0.1) / 0.2 = (1, 0.5), thresholded at 0.1.
        shares(0.9, 0.4),
        "by hand: soft thresholding of what each stretch added",
        1e-6,
    ),
    Row(L1AMtrl(focus=0.4), tasks(2), [], [0.7, 0.3], "by hand: the first stretch tries a"),
    Row(L1AMtrl(focus=0.4), tasks(2), [Observe([0.1, 0.1])], [0.3, 0.7], "by hand: the second stretch tries b"),
]

META_RTL = [
    Row(
        MetaRtl(rate=0.5, exploration=0.1, feedback="evaluations"),
        tasks(2),
        [Observe([0, 0], {"trial_gain": [0.3, 0.1]})],
        mixed(shares(exp(0.125), exp(-0.125)), 0.1),
        "by hand: R / s = (1.5, 0.5), z (R - mean) = (1/4, -1/4)",
    ),
    Row(
        MetaRtl(rate=0.5, exploration=0.0),
        tasks(2),
        [Update(0, 1.0), Update(1, 3.0)],
        # The first reward is its own baseline. Then b = 1, s = 0.9 + 0.3 and the step is 0.5 (2 / 1.2) (-1/2, 1/2).
        shares(exp(-0.5 / 1.2), exp(0.5 / 1.2)),
        "by hand: REINFORCE with a baseline",
    ),
]

SCORES = [Observe([0.8, 0.5, 0.1]), Observe([0.7, 0.6, 0.1])]
LAST_STAGE = At(step=70, spent=700)
REPLAY = [
    Row(Replay(), tasks(3), [], [1, 0, 0], "by hand: nothing to replay in the first stage"),
    Row(Replay(rule="equal", replay=0.4), tasks(3), [LAST_STAGE], [0.2, 0.2, 0.6], "by hand: ETS"),
    Row(Replay(tau=0.9), tasks(3), [*SCORES, LAST_STAGE], [0.5, 0, 0.5], "by hand: 0.7 <= 0.72 but 0.6 > 0.54"),
    Row(Replay(rule="previous", tau=1.3), tasks(3), [*SCORES, LAST_STAGE], [0.25, 0.25, 0.5], "by hand"),
    Row(Replay(rule="absolute", tau=0.6), tasks(3), [*SCORES, LAST_STAGE], [0, 0.5, 0.5], "by hand"),
    Row(Replay(rule="absolute", tau=0.2), tasks(3), [*SCORES, LAST_STAGE], [0.25, 0.25, 0.5], "by hand: heuristic3pp"),
    Row(
        Replay(rule="absolute", tau=0.2, if_none="current"),
        tasks(3),
        [*SCORES, LAST_STAGE],
        [0, 0, 1],
        "by hand: heuristic3 replays nothing when nothing is selected",
    ),
    Row(Replay(rule="equal", order=["c", "a", "b"]), tasks(3), [At(spent=400)], [0.5, 0, 0.5], "by hand: own order"),
]

WORST = [
    Row(WorstTask(exploration=0.3), tasks(3), [Observe([0.5, 0.2, 0.9])], [0.1, 0.8, 0.1], "by hand"),
    Row(WorstTask(exploration=0.3), tasks(3), [Observe([0.2, 0.2, 0.9])], [0.45, 0.45, 0.1], "by hand: a tie"),
    Row(
        WorstTask(exploration=0.0, targets={"a": 0.9, "b": 0.5}, temperature=0.1),
        tasks(2),
        [Observe([0.6, 0.4])],
        shares(exp(3), exp(1)),
        "by hand: gaps 0.3 and 0.1",
    ),
]

# Rewards 1 and 0 scale to +-1. With the kernel k between the two and one reward of unit noise each, the posterior has
# the eigenvalues (1 + k) / (2 + k) and (1 - k) / (2 - k), the latter along (1, -1).
K = exp(-1 / (2 * 0.3**2))
MEAN, VARIANCE = (1 - K) / (2 - K), ((1 + K) / (2 + K) + (1 - K) / (2 - K)) / 2
WINS = float(ndtr(2 * MEAN / sqrt(2 * VARIANCE)))
TWO = [Task(name="a", features=(2.0,)), Task(name="b", features=(5.0,))]
PDTS = [
    Row(
        Pdts(batch=1, discount=1.0, warmup=0.0, exploration=0.1),
        TWO,
        [Update(0, 1.0), Update(1, 0.0)],
        mixed([WINS, 1 - WINS], 0.1),
        "by hand: the difference of two normal variables",
        1e-8,
    ),
    Row(
        Pdts(batch=2, diversity=0.5, discount=1.0, warmup=0.0, exploration=0.0),
        TWO,
        [Update(0, 1.0), Update(1, 0.0)],
        [float(ndtr((2 * MEAN + 0.5) / sqrt(2 * VARIANCE))), float(ndtr(-(2 * MEAN + 0.5) / sqrt(2 * VARIANCE)))],
        "by hand: b was drawn last, so a gains 0.5 by its distance of 1",
        1e-8,
    ),
    Row(Pdts(), TWO, [Update(0, 1.0), Update(1, 0.0), At(spent=99)], [0.5, 0.5], "by hand: warm-up"),
]

SKEWED = Mixture([0.2, 0.3, 0.5])
GATES = [
    Row(
        AdmissionGate(SKEWED, ceiling=0.9, margin=0.1, control={"a": 0.2, "b": 0.2, "c": 0.2}, exploration=0.1),
        tasks(3),
        [Observe([0.6, 0.95, 0.25])],
        [0.92, 0.03, 0.05],
        "by hand: b is too easy, c hardly better than the control",
    ),
    Row(
        AdmissionGate(SKEWED, control={"a": 0.95, "b": 0.2, "c": 0.2}, exploration=0.0),
        tasks(3),
        [Observe([0.95, 0.5, NAN])],
        [0, 0.375, 0.625],
        "by hand: a takes no skill, c is unknown",
    ),
    Row(AdmissionGate(SKEWED, ceiling=0.1), tasks(3), [Observe([0.6] * 3)], [0.2, 0.3, 0.5], "by hand: none admitted"),
    Row(
        AchievabilityBand(SKEWED, exploration=0.0),
        tasks(3),
        [Observe([0.1, 0.3, 0.5])],
        [0, 0.375, 0.625],
        "by hand: 0.1 is below the band",
    ),
    Row(
        # a moves from logit 0 to logit ln 3, clipped to 0.5 for the others: c from 0.5 to 1 / (1 + exp(-0.5)) = 0.62.
        AchievabilityBand(SKEWED, exploration=0.0, high=0.61, feedback="reward", every=2),
        tasks(3),
        [Update(0, 0.5), Update(0, 1.0)],
        # 0.75 and 0.62 lie above the band, so that the two nearest to its middle join: b and c tie.
        [0, 0.375, 0.625],
        "by hand: others shift by at most half a logit",
    ),
    Row(
        AchievabilityBand(SKEWED, exploration=0.0, low=0.4, high=0.65, feedback="reward", every=2),
        tasks(3),
        [Update(0, 0.5), Update(0, 1.0)],
        [0, 0.375, 0.625],
        "by hand: 0.75 is above the band, 1 / (1 + exp(-0.5)) = 0.62 is not",
    ),
    Row(
        StageGate(SKEWED, threshold=0.8, review=0.5),
        tasks(3),
        [Observe([0.9, 0.8, 0.1])],
        [0.2, 0.3, 0.5],
        "by hand: two stages passed, the inner 0.2 : 0.3 divides the review",
    ),
    Row(
        StageGate(Uniform()), tasks(3), [Observe([0.1, 0.9, 0.9])], [1, 0, 0], "by hand: the first stage is not passed"
    ),
    Row(
        StageGate(SKEWED, threshold=0.5, order=["c", "b", "a"], review=0.2),
        tasks(3),
        [Observe([0.9, 0.1, 0.9]), Observe([0.1, 0.1, 0.1])],
        [0, 0.8, 0.2],
        "by hand: own order, and a stage passed stays passed",
    ),
    Row(StageGate(SKEWED, threshold=0.5), tasks(3), [Observe([0.9] * 3)], [0.2, 0.3, 0.5], "by hand: all passed"),
]

ROWS = [*L1, *META_RTL, *REPLAY, *WORST, *PDTS, *GATES]
