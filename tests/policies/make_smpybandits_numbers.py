"""Make `smpybandits.json`: probabilities of SMPyBandits' Exp3 and Exp3S over 3,000 steps, to compare with.

Run it where SMPyBandits is installed, which wants old libraries:

    python3.11 -m venv venv && venv/bin/pip install 'numpy<2' 'scipy<1.11' SMPyBandits==0.9.7
    venv/bin/python tests/policies/make_smpybandits_numbers.py

No random number is drawn: tasks follow the probabilities by a low-discrepancy sequence, rewards follow a formula.
"""

import json
from pathlib import Path

N_TASKS, N_STEPS, EVERY = 5, 3_000, 100


def reward_of(step: int, task: int) -> float:
    """In [0, 1]; which task is best changes in the middle."""
    best = 1 if step < N_STEPS // 2 else 3
    return ((7 * step + 13 * task) % 101) / 100 * (1.0 if task == best else 0.5)


def play(policy: object) -> dict[str, object]:
    """Drive one SMPyBandits policy; its probabilities before every `EVERY`-th step, and the tasks drawn."""
    policy.startGame()
    chosen, probabilities = [], []
    for step in range(N_STEPS):
        trusts = policy.trusts
        if step % EVERY == 0:
            probabilities.append(trusts.tolist())
        uniform = ((step + 1) * 0.6180339887498949) % 1.0
        task = min(int((trusts.cumsum() < uniform).sum()), N_TASKS - 1)
        chosen.append(task)
        policy.getReward(task, reward_of(step, task))
    probabilities.append(policy.trusts.tolist())
    return {"chosen": "".join(map(str, chosen)), "probabilities": probabilities}


if __name__ == "__main__":
    from SMPyBandits.Policies import Exp3, Exp3S

    results = {
        "exp3": play(Exp3(N_TASKS, gamma=0.07, unbiased=True)),
        "exp3s": play(Exp3S(N_TASKS, gamma=0.07, alpha=0.002, unbiased=True)),
    }
    Path(__file__).with_name("smpybandits.json").write_text(json.dumps(results, indent=0) + "\n")
