"""Golden rows of the data mixing policies."""

from math import exp, log, sqrt

import numpy as np

from apportion.policies import (
    Ado,
    Aioli,
    CoBa,
    DoGE,
    DoReMi,
    Famo,
    GroupDro,
    MixtureRegression,
    MtGrpo,
    MultiDds,
    Odm,
    PerformanceGap,
    Pike,
    SkillIt,
)
from apportion.records import Task
from policies.golden import At, Observe, Row, Update, tasks


def shares(*values):
    return [value / sum(values) for value in values]


def mixed(values, exploration):
    return [(1 - exploration) * value + exploration / len(values) for value in values]


def losses(*values):
    return Observe([-value for value in values], {"loss": list(values)})


def odm(e, q):
    return [(1 - len(q) * e) * value + e for value in q]


# Losses 2 for task a at probability 0.5 and 1 for task b at 0.6; e_1 = 0.5, e_2 = sqrt(ln 2 / 4), e_3 = sqrt(ln 2 / 6).
TWO_LOSSES = [Update(0, 2.0, [0.5, 0.5]), Update(1, 1.0, [0.4, 0.6])]
E2, E3 = sqrt(log(2) / 4), sqrt(log(2) / 6)

ODM = [
    Row(Odm(), tasks(2), TWO_LOSSES, odm(E3, shares(exp(E2 * 0.1 * 4), exp(E2 * 0.1 / 0.6))), "by hand: R = 0.1 L / p"),
    Row(
        Odm(variant="code"),
        tasks(2),
        TWO_LOSSES,
        odm(E2, shares(exp(2), exp(1))),
        "by hand: SmoothedMeanWeightUpdater.group_update, R = 0.1 exp(L), proportional",
    ),
    Row(
        Odm(variant="code_softmax"),
        tasks(2),
        TWO_LOSSES,
        odm(E2, shares(exp(0.5 * 0.1 * exp(2)), exp(0.5 * 0.1 * exp(1)))),
        "by hand: SmoothedMeanWeightUpdater.update, softmax of e_1 R",
    ),
    Row(
        Odm(variant="code_exp3"),
        tasks(2),
        TWO_LOSSES,
        odm(E2, shares(exp(0.5 * 0.4), exp(0.5 * 0.1 / 0.6))),
        "by hand: Exp3WeightUpdater.update, R = L / (10 p)",
    ),
    Row(
        Odm(variant="code_validation"),
        tasks(3),
        [At(step=10), losses(2.0, 1.0, 1.5)],
        odm(sqrt(log(3) / 30), shares(exp(1 / 3), 1, exp(1 / 6))),
        "by hand: NaiveValidationWeightUpdater.update at iteration 10, R = (1, 0, 1/2), e_before = 1/3",
    ),
    Row(Odm(variant="code", smoothing=0.5), tasks(2), [Update(0, 3.0), Update(0, 3.0)], odm(E2, [1, 0]), "by hand"),
]

# Equal losses make equal laws, so rho follows the credit of h alone: h starts at (1/2, 1/2), each draw moves it by 0.1.
H = [0.9**3 * 0.5 + 0.1 * (0.81 + 0.9), 0.9**3 * 0.5 + 0.1]  # drawn: a, a, b
H2 = [0.9**2 * 0.5 + 0.1 * (0.9 + 1), 0.9**2 * 0.5]  # drawn: a, a


def ado(credit):
    first, second = (shares(*(credit(h) for h in drawn)) for drawn in (H2, H))
    q = [0.5 + (rho - 0.5) / 3 for rho in first]  # followed from update 2 on
    return [0.9 * before + 0.1 * rho for before, rho in zip(q, second, strict=True)]


ADO = [
    Row(
        Ado(credit=credit, start=2, ignore=0, refit=1),
        tasks(2),
        [Update(0, 1.5), Update(0, 1.5), Update(1, 1.5)],
        ado(formula),
        f"by hand: equal losses leave only the credit, {credit}",
        1e-9,
    )
    for credit, formula in (("paper", sqrt), ("code", lambda h: sqrt(h * (1 - h))))
]

SKILL_IT = [
    Row(
        SkillIt(graph=[[1, 0.5], [0, 1]], eta=0.2, window=2),
        tasks(2),
        [losses(9.0, 9.0), losses(2.0, 1.0), losses(1.5, 0.5)],
        shares(exp(0.2 * (3.5 + 0.5 * 1.5)), exp(0.2 * 1.5)),
        "by hand: mw_trainer.py, sums over the last two evaluations",
    ),
    Row(
        SkillIt(graph=[[1, 0.5], [0, 1]], targets=["b"], window=2),
        tasks(2),
        [losses(2.0, 1.0), losses(1.5, 0.5)],
        shares(exp(0.2 * 0.5 * 0.75), exp(0.2 * 0.75)),
        "by hand: mw_trainer.py with a target mask, means over the window",
    ),
    Row(
        SkillIt(relative=True, window=1, eta=1.0, prior=[3, 1]),
        tasks(2),
        [losses(2.0, 4.0), losses(1.0, 3.0)],
        shares(3 * exp(0.5), exp(0.75)),
        "by hand: normalize_loss divides by the first losses",
    ),
]

# D[i][j]: decrease of the loss of i in the stretch that tried j, with the mixtures (3/4, 1/4) and (1/4, 3/4).
DECREASE = np.array([[0.3, 0.1], [-0.05, 0.2]])
LAW = np.stack([np.linalg.solve([[0.75, 0.25], [0.25, 0.75]], row) for row in DECREASE])
NORMALISED = (LAW - LAW.min()) / (LAW - LAW.min()).sum()
SWEEP = [losses(2.0, 1.0), losses(1.7, 1.05), losses(1.6, 0.85)]

AIOLI = [
    Row(
        Aioli(one_hot=0.75, eta=0.2, hold=2),
        tasks(2),
        SWEEP,
        shares(*np.exp(0.2 * NORMALISED.sum(axis=0))),
        "independent run of aioli_trainer.py: numpy.linalg.solve per row, normalize_A, sum over rows",
    ),
    Row(
        Aioli(one_hot=0.75, eta=0.2, hold=2, normalise=False),
        tasks(2),
        SWEEP,
        shares(*np.exp(0.2 * LAW.sum(axis=0))),
        "independent run of aioli_trainer.py without normalize_A",
    ),
    Row(Aioli(one_hot=0.75, hold=1), tasks(2), [*SWEEP, losses(1, 1)], [0.75, 0.25], "by hand: a new sweep begins"),
]


def doremi(c):
    a = mixed(shares(exp(0.5), 1.0), c)
    return mixed(shares(a[0] * exp(0.5), a[1] * exp(0.2)), c)


DOREMI = [
    Row(
        DoReMi(smoothing=0.1),
        tasks(2),
        [Update(0, 0.5), Update(1, 0.2)],
        doremi(0.1),
        "by hand: update_domain_weights, absent domains keep their last score",
    ),
    Row(DoReMi(), tasks(2), [Update(0, -3.0)], [0.5, 0.5], "by hand: excess below 0 counts as 0"),
    Row(
        DoReMi(smoothing=0.1, feedback="evaluations", prior=[1, 3]),
        tasks(2),
        [Observe([0, 0], {"loss": [2.0, 1.0], "reference_loss": [1.5, 1.5]})],
        mixed(shares(exp(0.5), 3.0), 0.1),
        "by hand: excess (0.5, 0)",
    ),
]

GROUP_DRO = [
    Row(
        GroupDro(eta=0.5, exploration=0.0, adjustment=2.0),
        [Task(name="a", size=4), Task(name="b", size=16)],
        [Update(0, 1.0), Update(1, 3.0)],
        shares(exp(0.5 * (1 + 1 + 1 + 1)), exp(0.5 * (1 + 0.5 + 3 + 0.5))),
        "by hand: unseen b counts with the mean of the seen, then with its own; C / sqrt(n) = (1, 1/2)",
    ),
    Row(
        GroupDro(eta=0.5, exploration=0.1, absent="zero"),
        tasks(2),
        [Update(0, 1.0), Update(1, 3.0)],
        mixed(shares(exp(0.5), exp(1.5)), 0.1),
        "by hand: loss.py, groups missing from a batch have the loss 0",
    ),
    Row(
        GroupDro(eta=0.5, exploration=0.0, feedback="evaluations", normalise=True),
        tasks(2),
        [losses(1.0, 3.0)],
        shares(exp(0.125), exp(0.375)),
        "by hand: normalize_loss",
    ),
]

DOGE = [
    Row(
        DoGE(learning_rate=0.1, mu=0.05),
        tasks(3),
        [Observe([0] * 3, {"gradient_inner": [2.0, -1.0, 40.0], "gradient_norm": [1.0, 4.0, 9.0]})],
        shares(exp(2 * 2 / (2 + 1e-6)), 1.0, exp(2 * 5)),
        "by hand: trainer.py, mean norm 2, clipped to [0, 5], times 0.1 / 0.05",
    )
]

MULTI_DDS = [
    Row(
        MultiDds(learning_rate=0.1, inner=1, prior=[3, 1]),
        tasks(2),
        [Observe([0, 0], {"gradient_alignment": [0.5, 0.5]})],
        shares(3 * exp(-0.1 / (1 + 1e-8 / 0.25)), exp(0.1 / (1 + 1e-8 / 0.25))),
        "by hand: gradient R - p sum R = (-1/4, 1/4), and the first step of Adam is its sign times 0.1",
    ),
    Row(
        MultiDds(learning_rate=0.1, inner=1, prior=[3, 1], weighted=True),
        tasks(2),
        [Observe([0, 0], {"gradient_alignment": [0.5, 0.5]})],
        [0.75, 0.25],
        "by hand: with scale_reward equal rewards have no gradient, but for rounding",
        1e-8,
    ),
]

PIKE = [
    Row(
        Pike(norm_rate=0.5, variance_rate=2.0, batch_size=4, exploration=0.1),
        tasks(2),
        [Observe([0, 0], {"gradient_norm": [2.0, 1.0], "gradient_variance": [1.0, 8.0]})],
        mixed(shares(exp(1 - 0.25), exp(0.5 - 2)), 0.1),
        "by hand from the formula in the docstring",
    )
]


def coba(history, *, warmup, window, tau, paper=False):
    """Weights after these losses (n_evaluations, n_tasks), the first the start; written from the formulas alone."""
    ratios = np.array(history[1:]) / np.array(history[0])
    n = ratios.shape[1]
    slopes, worst = [], []
    for now in range(warmup, len(ratios) + 1):
        seen = ratios[max(0, now - window) : now]
        slopes.append([np.polyfit(np.arange(len(seen)), seen[:, i], 1)[0] for i in range(n)])
        worst.append(np.polyfit(np.arange(len(seen)), seen.max(axis=1), 1)[0])
    a, past = np.array(slopes[-1]), np.abs(slopes[max(0, len(ratios) - window) :])
    rcs = shares(*np.exp(n * a / np.abs(a).sum()))
    acs = shares(*np.exp(-len(past) * a / past.sum(axis=0)))
    df = len(worst) * shares(*np.exp(-tau * len(worst) * np.array(worst) / np.abs(worst).sum()))[-1]
    if paper:
        return [min(df, 1) * r + (1 - min(df, 1)) * s for r, s in zip(rcs, acs, strict=True)]
    weights = shares(*(exp(n * (df * r + (1 - df) * s)) for r, s in zip(rcs, acs, strict=True)))
    return [0.9 * w + 0.1 / n for w in weights] if min(weights) < 0.1 / n else weights


FALLING = [[2.0, 1.0, 4.0], [1.8, 0.9, 3.9], [1.5, 0.85, 3.9], [1.4, 0.84, 3.7], [1.3, 0.9, 3.6], [1.2, 0.95, 3.0]]
RISING = [*FALLING, [1.1, 1.3, 3.1], [1.0, 1.9, 2.9]]
COBA = [
    Row(CoBa(warmup=3, history=4), tasks(3), [losses(*row) for row in FALLING[:3]], [1 / 3] * 3, "by hand: warm-up"),
    *(
        Row(
            CoBa(warmup=2, history=4, variant=variant),
            tasks(3),
            [losses(*row) for row in curve],
            coba(curve, warmup=2, window=4, tau=5, paper=variant == "paper"),
            f"independent run of the formulas of loss_utils.py, {len(curve)} evaluations, {variant}",
            1e-9,
        )
        for variant in ("code", "paper")
        for curve in (FALLING[:4], FALLING, RISING)
    ),
]

PERFORMANCE_GAP = [
    Row(
        PerformanceGap(targets={"a": 0.9, "b": 0.8, "c": 0.7}, floor=0.05, prior=[1, 2, 1]),
        tasks(3),
        [Observe([0.6, 0.7, 0.9])],
        shares(0.3, 0.1, 0.05),
        "by hand: gaps 0.3, 0.1 and -0.2, the last below the floor",
    ),
    Row(PerformanceGap(prior=[1, 3]), tasks(2), [], [0.25, 0.75], "by hand: the prior before the first evaluation"),
    Row(
        PerformanceGap(),
        tasks(3),
        [Observe([0.4, 0.8, float("nan")])],
        shares(0.6, 0.2, 0.4),
        "by hand: a task without a score has the mean gap",
    ),
]

FAMO = [
    Row(
        Famo(exploration=0.1),
        tasks(2),
        [losses(0.5, 2.0)],
        mixed(shares(1 / (0.5 + 1e-8), 1 / (2 + 1e-8)), 0.1),
        "by hand: z is equal before the second evaluation, so p is proportional to 1 / D",
    ),
    Row(
        Famo(exploration=0.0, by_loss=False, decay=0.0, rate=0.2),
        tasks(2),
        [losses(2.0, 2.0), losses(1.0, 2.0)],
        shares(exp(-0.2 / (1 + 4e-8 / log(2))), exp(0.2 / (1 + 4e-8 / log(2)))),
        "by hand: d = (ln 2, 0), gradient +-ln 2 / 4, and the first step of Adam is its sign times 0.2",
        1e-8,
    ),
]

# s = I + lambda J: first (0, 0) + 0.5 (0.2, 0.6), then (0.3, 0) + 0.5 (0.5, 0.6).
Z = shares(exp(0.25 * 0.2), exp(-0.25 * 0.2))
STEP = Z[0] * Z[1] * (0.55 - 0.3)
MT_GRPO = [
    Row(
        MtGrpo(trade_off=0.5, rate=1.0, exploration=0.0),
        tasks(2),
        [Observe([0.2, 0.6]), Observe([0.5, 0.6])],
        shares(exp(0.05 - STEP), exp(-0.05 + STEP)),
        "by hand: subroutine 1 twice",
    ),
    Row(
        MtGrpo(trade_off=0.5, rate=0.1, exploration=0.1, variant="code", decay=0.0),
        tasks(2),
        [Observe([0.2, 0.6])],
        mixed(shares(exp(0.1 / (1 + 1e-8 / 0.05)), exp(-0.1 / (1 + 1e-8 / 0.05))), 0.1),
        "by hand: gradient -+0.05, and the first step of Adam is its sign times 0.1",
    ),
]

PEAK = [((x, 1 - x), -((x - 0.3) ** 2)) for x in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
MIXTURE_REGRESSION = [
    Row(
        MixtureRegression(runs=PEAK, kind="quadratic", penalty=0.0),
        tasks(2),
        [],
        [0.3, 0.7],
        "the maximum of the parabola that the runs lie on, found to within the spacing of the candidates",
        0.01,
    ),
    Row(
        MixtureRegression(runs=PEAK, kind="linear", penalty=0.0, lower=0.1),
        tasks(2),
        [],
        [0.1, 0.9],
        "the corner that a line through the runs points to, found to within the spacing of the candidates",
        0.01,
    ),
]

ROWS = [
    *ODM,
    *ADO,
    *SKILL_IT,
    *AIOLI,
    *DOREMI,
    *GROUP_DRO,
    *DOGE,
    *MULTI_DDS,
    *PIKE,
    *COBA,
    *PERFORMANCE_GAP,
    *FAMO,
    *MT_GRPO,
    *MIXTURE_REGRESSION,
]
