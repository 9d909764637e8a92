"""Golden rows of the policies that need no feedback."""

from apportion.policies import (
    Curriculum,
    Function,
    Mixture,
    Phases,
    PowerSchedule,
    Proportional,
    RoundRobin,
    Stages,
    Temperature,
    Uniform,
    UniMax,
)
from apportion.policies.function import large_first
from apportion.records import Task
from policies.golden import At, Row, tasks


def sized(*sizes):
    return [Task(name="abcdefghi"[index], size=size) for index, size in enumerate(sizes)]


GLUE = sized(392_702, 363_846, 104_743, 67_349, 8_551, 5_749, 3_668, 2_490, 635)
JIANT = (
    "printed by jiant's task samplers themselves (nyu-mll/jiant daa5a25, jiant/proj/main/components/task_sampler.py)"
)
SEQIO = "printed by `mixing_rate_num_examples` itself, divided by the sum (google/seqio b898b9f, seqio/utils.py)"
PALS = "printed by the lines of `--sample anneal` themselves, 5 epochs (AsaCooperStickland/Bert-n-Pals 9b40f4f)"
BERT_N_PALS = sized(6_680, 2_865, 306_798, 1_945, 4_491, 52_616, 284_257, 84_715)


def at(progress):
    return [At(spent=1000.0 * progress)]


ROWS = [
    Row(Uniform(), tasks(4), [], [0.25, 0.25, 0.25, 0.25], "1 / K by hand"),
    Row(
        Proportional(),
        GLUE,
        [],
        [
            0.41348673785158563,
            0.3831034617097647,
            0.11028678586507998,
            0.07091361466854368,
            0.0090035831123063,
            0.006053280237708914,
            0.0038621380956542525,
            0.002621789492415237,
            0.0006686089669412351,
        ],
        JIANT,
    ),
    Row(Mixture({"b": 2, "a": 1, "c": 5}), tasks(3), [], [0.125, 0.25, 0.625], JIANT),
    Row(Mixture([1e-308, 1e308]), tasks(2), [], [0.0, 1.0], "by hand: shares near both ends of what a float can hold"),
    Row(
        Temperature(temperature=5.0),
        GLUE,
        [],
        [
            0.18577383974686432,
            0.18295970692927724,
            0.1426254201199526,
            0.13056842497137156,
            0.08641225056280336,
            0.07981608040368637,
            0.07295546004169794,
            0.06751679283924514,
            0.05137202438510153,
        ],
        JIANT,
    ),
    Row(
        Temperature(temperature=10.0, cap=8192),
        GLUE,
        [],
        [
            0.11695795967866869,
            0.11695795967866869,
            0.11695795967866869,
            0.11695795967866869,
            0.11695795967866869,
            0.1128885825397551,
            0.1079278987327889,
            0.10382709997972875,
            0.09056662035438391,
        ],
        JIANT,
    ),
    Row(
        Temperature(temperature=3.0, cap=2**14, scale=0.5),
        GLUE,
        [],
        [
            0.1569131243374741,
            0.1569131243374741,
            0.1569131243374741,
            0.1569131243374741,
            0.1002724424474019,
            0.08784291270608911,
            0.07562273854384932,
            0.06646235725300306,
            0.04214705169976029,
        ],
        SEQIO,
    ),
    Row(Temperature.from_exponent(0.5), sized(900, 100), [], [0.75, 0.25], "by hand: 30 / (30 + 10)"),
    Row(
        Temperature(temperature=1e-3),
        sized(1_000, 10**9),
        [],
        [0.0, 1.0],
        "by hand: sizes to the 1000th do not overflow",
    ),
    # Epoch e of 5 is the progress from e / 5 on.
    Row(
        PowerSchedule.annealed(levels=5),
        BERT_N_PALS,
        at(0.0),
        [
            0.00897406789930236,
            0.003848907863997195,
            0.4121595933188871,
            0.002612958392835792,
            0.006033314211941153,
            0.0706855623637265,
            0.38187748785209447,
            0.11380810809721549,
        ],
        PALS,
    ),
    Row(
        PowerSchedule.annealed(levels=5),
        BERT_N_PALS,
        at(0.59),
        [
            0.03296359764962462,
            0.019835516007894814,
            0.3275519894493799,
            0.01572245970883819,
            0.02597613663955738,
            0.11372067383429517,
            0.31289269793594693,
            0.151336928774463,
        ],
        PALS,
    ),
    Row(
        PowerSchedule.annealed(levels=5),
        BERT_N_PALS,
        at(1.0),
        [
            0.09099618678447458,
            0.07682327657941794,
            0.19563132925207544,
            0.07109708945783959,
            0.08404976664628656,
            0.13749644412479733,
            0.1926682419860841,
            0.15123766516902454,
        ],
        PALS,
    ),
    # a = 0.2 + 0.8 * 3/8 = 0.5: square roots
    Row(PowerSchedule.cooldown(), sized(900, 100), at(0.375), [0.75, 0.25], "by hand: exponent 0.5 at 3/8"),
    Row(PowerSchedule(start=0.0, end=1.0), sized(900, 100), at(1.0), [0.9, 0.1], "by hand: proportional at the end"),
    # Limits 2 * size / 10 examples a step = 20, 100, 1000 steps; 600 steps: 20, then min(290, 100), then 480.
    Row(
        UniMax(max_epochs=2, examples_per_step=10, cost_per_step=1),
        sized(100, 500, 5_000),
        [At(budget=600.0)],
        [20 / 600, 100 / 600, 480 / 600],
        "the algorithm of UniMax by hand: the two smaller tasks at their limit",
    ),
    Row(
        UniMax(max_epochs=2, examples_per_step=10, cost_per_step=1),
        sized(5_000, 100, 5_000),
        [At(budget=600.0)],
        [290 / 600, 20 / 600, 290 / 600],
        "the algorithm of UniMax by hand: the larger ones share what is left equally, in any order of the tasks",
    ),
    # In examples, 8 and 32 a batch: limits 400 and 10^4; 1000 examples: 400, 600; batches 50, 18.75.
    Row(
        UniMax(max_epochs=4, examples_per_step={"a": 8, "b": 32}, cost_per_step={"a": 8, "b": 32}),
        sized(100, 2_500),
        [At(budget=1000.0)],
        [50 / 68.75, 18.75 / 68.75],
        "by hand: shares of examples as shares of batches",
    ),
    # Tokens learned from the run: a 10 batches of 4 examples and 400 tokens, b 10 of 4 and 1200. Limits 100 * 100 and
    # 1000 * 300 tokens; budget 50,000: 10,000 and 40,000 tokens; batches 10000 / 400 = 25 and 40000 / 1200 = 33 1/3.
    Row(
        UniMax(max_epochs=1),
        sized(100, 1_000),
        [
            At(
                step=20,
                spent=16_000.0,
                budget=50_000.0,
                fields={"counts": [10, 10], "examples": [40.0, 40.0], "costs": [4_000.0, 12_000.0]},
            )
        ],
        [25 / (25 + 100 / 3), 100 / 3 / (25 + 100 / 3)],
        "by hand: tokens and examples of a batch learned from the run",
    ),
    Row(
        UniMax(max_epochs=1, examples_per_step=1, cost_per_step=1, infeasible="proportional"),
        sized(100, 300),
        [At(budget=1000.0)],
        [0.25, 0.75],
        "by hand: both limits bind, so each task gets its limit's part",
    ),
    Row(
        Stages([(0, {"a": 3, "b": 1}), (10, [0, 1, 1])], unit="steps"),
        tasks(3),
        [At(step=9)],
        [0.75, 0.25, 0.0],
        "by hand",
    ),
    Row(
        Stages([(0, {"a": 3, "b": 1}), (10, [0, 1, 1])], unit="steps"),
        tasks(3),
        [At(step=10)],
        [0.0, 0.5, 0.5],
        "by hand",
    ),
    Row(
        Stages([(0, [1, 0]), (0.5, [0, 1])], interpolate=True),
        tasks(2),
        at(0.125),
        [0.75, 0.25],
        "by hand: 1/4 of the way",
    ),
    Row(
        Stages([(0, [1, 0]), (0.5, [0, 1])], interpolate=True),
        tasks(2),
        at(0.75),
        [0.0, 1.0],
        "by hand: stays at the last",
    ),
    Row(
        Function(lambda progress, _: [1, 2 * 1000 * progress, (1000 * progress + 1) ** -0.5]),
        tasks(3),
        [At(spent=3.0)],
        [0.13333333333333333, 0.8, 0.06666666666666667],
        "jiant's TimeDependentProbMultiTaskSampler with 1, 2*t, 1/sqrt(t+1) at t = 3, printed by itself",
    ),
    Row(Function(large_first), sized(900, 100), at(0.5), [0.75, 0.25], "by hand: square roots half way"),
    Row(RoundRobin(), tasks(3), [], [1 / 3, 1 / 3, 1 / 3], "by hand: a new cycle"),
    Row(RoundRobin(), tasks(3), [At(fields={"counts": [4, 3, 3]})], [0.0, 0.5, 0.5], "by hand: one was drawn"),
    Row(
        RoundRobin(),
        tasks(3),
        [At(fields={"counts": [4, 3, 4], "available": [1, 0, 1]})],
        [0.5, 0.0, 0.5],
        "by hand: the one left is not available, so a new cycle of the others begins",
    ),
    # create_schedule(3, S) of curriculum_learning_icl cuts S steps into thirds.
    Row(Curriculum(kind="sequential"), tasks(3), at(0.5), [0, 1, 0], "select_task of curriculum_learning_icl, by hand"),
    Row(Curriculum(kind="mixed"), tasks(3), at(0.5), [0.5, 0.5, 0], "select_task of curriculum_learning_icl, by hand"),
    Row(Curriculum(kind="mixed"), tasks(3), at(1.0), [1 / 3] * 3, "select_task of curriculum_learning_icl, by hand"),
    Row(Curriculum(kind="random"), tasks(3), at(0.5), [1 / 3] * 3, "select_task of curriculum_learning_icl, by hand"),
    Row(Curriculum(kind="mixed", order="cab"), tasks(3), at(0.4), [0.5, 0, 0.5], "by hand: c, then c and a"),
    # The median of 10, 1000, 3000 is 1000: b and c in phase 1.
    Row(Phases(switch=0.5), sized(10, 1_000, 3_000), at(0.49), [0.0, 0.25, 0.75], "by hand: large tasks, by size"),
    Row(Phases(switch=0.5), sized(10, 990, 3_000), at(0.5), [0.0025, 0.2475, 0.75], "by hand: all tasks, by size"),
    Row(Phases(Mixture([1, 0, 0]), large=("b", "c")), tasks(3), [], [0, 0.5, 0.5], "by hand: nothing to restrict"),
]
