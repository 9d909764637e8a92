"""Golden rows of the bandits and the learning-progress policies.

Where the source says "by hand" the calculation stands in the comment above the row.
"""

import json
from math import exp, log, sqrt
from pathlib import Path

from apportion.policies import (
    DUMP,
    SEC,
    UCB1,
    BidirectionalProgress,
    DiscountedUCB,
    EpsilonGreedy,
    Exp3,
    Exp3P,
    Exp3S,
    Exp3SGraves,
    Learnability,
    SlidingWindowUCB,
    ThompsonBeta,
    ThompsonGaussian,
    TSCLNaive,
    TSCLOnline,
    TSCLSampling,
    TSCLWindow,
)
from policies.golden import Observe, Row, Update, tasks
from policies.make_smpybandits_numbers import N_TASKS, reward_of

SMPYBANDITS = json.loads(Path(__file__).with_name("smpybandits.json").read_text())


def rewards(*pairs, n_tasks=2):
    """Updates from (task, reward), drawn uniformly."""
    return [Update(task, reward, [1 / n_tasks] * n_tasks) for task, reward in pairs]


def smpybandits(name):
    """The 3,000 steps of a fixture, each drawn from what our own policy says."""
    return [Update(int(task), reward_of(step, int(task))) for step, task in enumerate(SMPYBANDITS[name]["chosen"])]


def sigmoid(x):
    return 1 / (1 + exp(-x))


ROWS = [
    # Q = 1 + 0.5 (3 - 1) = 2 against 1.5: the first leads. Epsilon 0.2 of two tasks leaves 0.1 for the other.
    Row(
        EpsilonGreedy(step_size=0.5, exploration=0.2),
        tasks(2),
        rewards((0, 1), (1, 1.5), (0, 3)),
        [0.9, 0.1],
        "Sutton and Barto 2018, equation 2.5, by hand",
    ),
    # Means 2 and 2.1; a task without a reward comes first, until it has one.
    Row(
        EpsilonGreedy(step_size=None, exploration=0.3),
        tasks(3),
        rewards((0, 1), (1, 2.1), (0, 3), n_tasks=3),
        [0.1, 0.1, 0.8],
        "optimism about untried tasks, by hand",
    ),
    # t = 10: 0.9 + sqrt(2 ln 10 / 8) = 1.659 against 0.2 + sqrt(2 ln 10 / 2) = 1.717: the worse mean wins.
    Row(
        UCB1(exploration=0.1),
        tasks(2),
        rewards(*[(0, 0.9)] * 8, (1, 0.2), (1, 0.2)),
        [0.05, 0.95],
        "Auer et al. 2002, figure 1, by hand",
    ),
    # One more reward for the first: t = 11, n = 9 and 2: 0.9 + 0.730 = 1.630 against 0.1 + 1.549 = 1.649.
    # At scale 0.9 the bonuses are 0.657 and 1.394: 1.557 against 1.494, and the first wins.
    Row(
        UCB1(exploration=0.1, scale=0.9),
        tasks(2),
        rewards(*[(0, 0.9)] * 9, (1, 0.1), (1, 0.1)),
        [0.95, 0.05],
        "Auer et al. 2002, figure 1, by hand",
    ),
    # N = 0.5 + 0.25 = 0.75 and 1, ln 1.75 = 0.5596. Bonus 2 sqrt(0.5 * 0.5596 / N) = 1.2216 and 1.0579.
    # 0.6 + 1.2216 = 1.8216 against 0.7 + 1.0579 = 1.7579.
    Row(
        DiscountedUCB(discount=0.5, exploration=0.2),
        tasks(2),
        rewards((0, 0.6), (0, 0.6), (1, 0.7)),
        [0.9, 0.1],
        "Garivier and Moulines 2011, section 2.1, by hand",
    ),
    # The window holds 0.6, 0.6 of the first and 0.9 of the second; ln 3 = 1.0986.
    # 0.6 + sqrt(0.6 * 1.0986 / 2) = 1.1741 against 0.9 + sqrt(0.6 * 1.0986) = 1.7119. The first reward is forgotten.
    Row(
        SlidingWindowUCB(window=3, exploration=0.2),
        tasks(2),
        rewards((0, 100.0), (0, 0.6), (0, 0.6), (1, 0.9)),
        [0.1, 0.9],
        "Garivier and Moulines 2011, section 2.2, by hand",
    ),
    # alpha of the second: 1 + 1 = 2, then 2 + 0.5 (1 - 2) + 1 = 2.5, for a reward of 0 does not fall short either.
    Row(
        ThompsonBeta(forget=0.5, exploration=0.0),
        tasks(2),
        rewards((1, 0.3), (1, 0.0)),
        [1 / 3.5, 2.5 / 3.5],
        "HanGuo97/AutoSeM multitask_autoMR_model.py; P(x > y) of uniform and Beta(a, 1) is 1 / (a + 1)",
        1e-4,
    ),
    # Three equal posteriors, then a failure of the first at forget = 1: Beta(1, 2), the others Beta(1, 1).
    # P(first) = integral of 2 (1 - x) x^2 = 2 (1/3 - 1/4) = 1/6. Exploration 0.3 adds 0.1 to 0.7 of it.
    Row(
        ThompsonBeta(forget=1.0, exploration=0.3),
        tasks(3),
        rewards((0, -0.1), n_tasks=3),
        [0.7 / 6 + 0.1, 0.7 * 2.5 / 6 + 0.1, 0.7 * 2.5 / 6 + 0.1],
        "HanGuo97/AutoSeM multitask_autoMR_model.py, by hand",
        1e-4,
    ),
    # N(0, 1/2) against N(1/2, 1/4): variance (1 + 0) / 2, counts 1 and 2. P = Phi(-(1/2) / sqrt(3/4)) = 0.28185143.
    Row(
        ThompsonGaussian(exploration=0.0),
        tasks(2),
        rewards((1, 1.0)),
        [0.2818514305, 1 - 0.2818514305],
        "P(X > Y) of two normals, by hand",
        1e-9,
    ),
    # Exp3 and Exp3.S: an independent program, over 3,000 steps.
    Row(
        Exp3(gamma=0.07),
        tasks(N_TASKS),
        smpybandits("exp3"),
        SMPYBANDITS["exp3"]["probabilities"][-1],
        "SMPyBandits 0.9.7 Policies/Exp3.py after 3,000 steps",
    ),
    Row(
        Exp3S(gamma=0.07, alpha=0.002),
        tasks(N_TASKS),
        smpybandits("exp3s"),
        SMPYBANDITS["exp3s"]["probabilities"][-1],
        "SMPyBandits 0.9.7 Policies/Exp3S.py after 3,000 steps",
    ),
    # gamma = sqrt(2 ln 2 / ((e - 1) 100)) = 0.0898; log-weights 0 and gamma * (1 / 0.5) / 2 = gamma.
    Row(
        Exp3(horizon=100),
        tasks(2),
        rewards((1, 1.0)),
        [
            1 - ((1 - (g := sqrt(2 * log(2) / ((exp(1) - 1) * 100)))) * sigmoid(g) + g / 2),
            (1 - g) * sigmoid(g) + g / 2,
        ],
        "Auer et al. 2002, figure 1 and corollary 3.2, by hand",
    ),
    # alpha = 2 sqrt(ln(2 * 100 / 0.1)) = 5.5138, bonus alpha / (p sqrt(200)) = 1.9494 and 0.4874; x = 0 and 1 / 0.8.
    # Log-weights 0.05 * 1.9494 and 0.05 * 1.7374.
    Row(
        Exp3P(gamma=0.3, delta=0.1, horizon=100),
        tasks(2),
        [Update(1, 1.0, [0.2, 0.8])],
        [
            0.7 * sigmoid(0.05 * (2 * sqrt(log(2000)) / sqrt(200) * (5 - 1.25) - 1.25)) + 0.15,
            0.7 * sigmoid(-0.05 * (2 * sqrt(log(2000)) / sqrt(200) * (5 - 1.25) - 1.25)) + 0.15,
        ],
        "Auer et al. 2002, section 6 (constants from memory), by hand",
    ),
    # g = 0.1 / 0.5 for the task drawn; w = ln(0.8 e^0 + 0.2 e^0.2) and ln(0.8 e^0.2 + 0.2 e^0): alpha / (K - 1) = 0.2.
    Row(
        Exp3SGraves(eta=0.1, share=0.2, exploration=0.1),
        tasks(2),
        rewards((1, 1.0)),
        [
            0.9 * (0.8 + 0.2 * exp(0.2)) / (1 + exp(0.2)) + 0.05,
            0.9 * (0.8 * exp(0.2) + 0.2) / (1 + exp(0.2)) + 0.05,
        ],
        "Graves et al. 2017, section 3.1 (from memory), by hand",
    ),
    # Published settings: at t = 1, alpha = 1 hands all weight over to the others; g = 0.001 * 1 / 0.5.
    Row(
        Exp3SGraves.graves2017(),
        tasks(2),
        rewards((1, 3.0)),
        [0.95 * sigmoid(0.002) + 0.025, 0.95 * sigmoid(-0.002) + 0.025],
        "Graves et al. 2017 (constants from memory): alpha_1 = 1 and rewards clipped to 1, by hand",
    ),
    # Q = 0.1 * 0.2 = 0.02 and 0.1 * -0.3 = -0.03: in absolute value the second leads.
    Row(
        TSCLOnline(exploration=0.2),
        tasks(2),
        rewards((0, 0.2), (1, -0.3)),
        [0.1, 0.9],
        "Matiisen et al. 2017, online, by hand",
    ),
    Row(
        TSCLOnline(exploration=0.2, absolute=False),
        tasks(2),
        rewards((0, 0.2), (1, -0.3)),
        [0.9, 0.1],
        "tambetm/TSCL addition_rnn_teacher.py: Q, not |Q|, by hand",
    ),
    # Evaluations: changes (0.2, 0.1), then (-0.1, 0.1). Q = 0.02, 0.01, then 0.02 + 0.1 (-0.12) = 0.008 and 0.019.
    # Boltzmann: softmax of 0.8 and 1.9 at temperature 0.01.
    Row(
        TSCLOnline(feed="evaluations", absolute=False, exploration=0.0, temperature=0.01),
        tasks(2),
        [Observe([0.1, 0.1]), Observe([0.3, 0.2]), Observe([0.2, 0.3])],
        [sigmoid(-1.1), sigmoid(1.1)],
        "tambetm/TSCL addition_rnn_teacher.py, Boltzmann, by hand",
    ),
    # Scores of the first 0.1, 0.4, 0.4: slope 0.15; of the second one only: slope 1 in its place. Q = 0.015 and 0.1.
    Row(
        TSCLNaive(window=4, exploration=0.0, temperature=0.1),
        tasks(2),
        rewards((0, 0.1), (0, 0.3), (1, 0.2), (0, 0.0)),
        [sigmoid(-0.85), sigmoid(0.85)],
        "Matiisen et al. 2017, naive; tambetm/TSCL addition_rnn_teacher.py, by hand",
    ),
    # Inside a block nothing changes: Q = 0 for both.
    Row(
        TSCLNaive(window=4, exploration=0.2),
        tasks(2),
        rewards((0, 0.1), (0, 0.3), (1, 0.2)),
        [0.5, 0.5],
        "tambetm/TSCL addition_rnn_teacher.py: p is fixed for a block, by hand",
    ),
    # First: scores 0.1, 0.4, 0.6 at 0, 1, 3, slope 0.733333 / 4.666667 = 0.1571429.
    # Second: scores 0.2, 0.1 at 2, 4, slope -0.05.
    Row(
        TSCLWindow(exploration=0.0, temperature=0.1),
        tasks(2),
        rewards((0, 0.1), (0, 0.3), (1, 0.2), (0, 0.2), (1, -0.1)),
        [sigmoid((11 / 70 - 0.05) / 0.1), sigmoid((0.05 - 11 / 70) / 0.1)],
        "Matiisen et al. 2017, window, by hand",
    ),
    # A task seen once has slope 1.
    Row(
        TSCLWindow(exploration=0.1),
        tasks(2),
        rewards((0, 0.1), (0, 0.3), (1, 0.2)),
        [0.05, 0.95],
        "tambetm/TSCL addition_rnn_teacher.py: slope 1 before two scores, by hand",
    ),
    # Draws from {0.1, 0.3} and {0.2, 0.4}: the first wins one of four pairs.
    Row(
        TSCLSampling(exploration=0.2),
        tasks(2),
        rewards((0, 0.1), (0, -0.3), (1, 0.2), (1, 0.4)),
        [0.8 * 0.25 + 0.1, 0.8 * 0.75 + 0.1],
        "Matiisen et al. 2017, sampling, by hand",
    ),
    # Ties: {0.1, 0.2}, {0.2}, {0.2}. With 0.1 the first loses and the others share; with 0.2 all three share.
    Row(
        TSCLSampling(exploration=0.0),
        tasks(3),
        rewards((0, 0.1), (0, 0.2), (1, 0.2), (2, 0.2), n_tasks=3),
        [1 / 6, 5 / 12, 5 / 12],
        "ties split evenly, by hand",
    ),
    # Rates 0.5, 0.5 and 0.2, then 0.4: fast 0.22, slow 0.202; the first does not move: z = -1 and 1.
    Row(
        BidirectionalProgress(above_chance=False, exploration=0.0),
        tasks(2),
        [Observe([0.5, 0.2]), Observe([0.5, 0.4])],
        [sigmoid(-1), sigmoid(1)],
        "RyanNavillus/Syllabus learning_progress.py, by hand",
    ),
    # Progress 0, |f(0.22) - f(0.202)| = 0.0225 and |f(0.49) - f(0.499)| = 0.0033. The first task has no success yet.
    Row(
        BidirectionalProgress(above_chance=False, exploration=0.25),
        tasks(3),
        [Observe([0.0, 0.2, 0.5]), Observe([0.0, 0.4, 0.4])],
        [0.25 / 3, 0.75 * sigmoid(1) + 0.25 / 3, 0.75 * sigmoid(-1) + 0.25 / 3],
        "RyanNavillus/Syllabus online_learning_progress.py: no success and no progress, no share, by hand",
    ),
    # 0.25 and 0.09.
    Row(
        Learnability(exploration=0.0),
        tasks(2),
        [Observe([0.5, 0.9])],
        [25 / 34, 9 / 34],
        "RyanNavillus/Syllabus learnability.py, sampling='dist', by hand",
    ),
    Row(
        Learnability(exploration=0.2, top=2),
        tasks(4),
        [Observe([0.5, 0.9, 0.3, 0.0])],
        [0.45, 0.05, 0.45, 0.05],
        "RyanNavillus/Syllabus learnability.py, sampling='topk', by hand",
    ),
    # Q = 0.2, then 0.2 + 0.5 (0.4 - 0.2) = 0.3 for the second; 0.1 for the first. Difference 0.2 at temperature 0.2.
    Row(
        SEC(),
        tasks(2),
        rewards((1, 0.4), (0, 0.2), (1, 0.4)),
        [sigmoid(-1), sigmoid(1)],
        "Chen et al. 2025, arXiv 2505.14970, by hand",
    ),
    # Absent tasks decay: Q of the second 0.2, 0.1, then 0.1 + 0.5 (0.4 - 0.1) = 0.25; of the first 0, 0.1, 0.05.
    Row(
        SEC(absent="decay"),
        tasks(2),
        rewards((1, 0.4), (0, 0.2), (1, 0.4)),
        [sigmoid(-1), sigmoid(1)],
        "rsshyam/MT-GRPO priority.py: the target of absent tasks is 0, by hand",
    ),
    Row(
        SEC(absent="decay"),
        tasks(2),
        rewards((1, 0.4), (0, 0.2)),
        [0.5, 0.5],
        "rsshyam/MT-GRPO priority.py: the target of absent tasks is 0, by hand",
    ),
    # n = 3: 0.2 + sqrt(2 ln 4 / 3) against 0.4 + sqrt(2 ln 4 / 2), the first 0.6 has left the window of one.
    Row(
        DUMP(window=1),
        tasks(2),
        rewards((0, 0.6), (0, 0.2), (1, 0.4)),
        [sigmoid(-(z := (0.2 + sqrt(log(4)) - sqrt(2 * log(4) / 3)) / 0.1)), sigmoid(z)],
        "ZhentingWang/DUMP curriculum_learning.py, by hand",
    ),
]
