"""Policies with an optimiser inside against the same optimiser in PyTorch."""

from itertools import pairwise

import numpy as np
import pytest

from apportion.policies import Famo, MtGrpo, MultiDds
from apportion.records import Context, Evaluation, Task

torch = pytest.importorskip("torch")

TASKS = [Task(name=name) for name in "abc"]
RNG = np.random.default_rng(7)
LOSSES = RNG.uniform(0.2, 2.0, size=(12, 3))


def observe(policy, scores, **measured):
    policy.observe(
        Evaluation(
            step=0,
            scores=np.atleast_2d(scores),
            counts=np.zeros((1, 3), dtype=np.int64),
            measured={name: np.atleast_2d(values) for name, values in measured.items()},
        )
    )


def answer(policy):
    return policy.probabilities(Context.start(3))[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_multi_dds_is_the_released_update_with_torch(weighted):
    policy = MultiDds(learning_rate=1e-2, inner=50, weighted=weighted, prior=[1, 2, 3])
    policy.reset(TASKS)
    psi = torch.log(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) / 6).requires_grad_()
    optimiser = torch.optim.Adam([psi], lr=1e-2)
    for alignment in LOSSES[:3] - 1.0:
        observe(policy, alignment, gradient_alignment=alignment)
        for _ in range(50):
            loss = -torch.log_softmax(psi, dim=-1)
            if weighted:
                loss = loss * torch.softmax(psi, dim=-1).detach()
            optimiser.zero_grad()
            (loss * torch.tensor(alignment)).sum().backward()
            optimiser.step()
        np.testing.assert_allclose(answer(policy), torch.softmax(psi, -1).detach().numpy(), atol=1e-9)


@pytest.mark.parametrize("by_loss", [False, True])
def test_famo_is_the_released_update_with_torch(by_loss):
    policy = Famo(by_loss=by_loss, exploration=0.0)
    policy.reset(TASKS)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([w], lr=0.025, weight_decay=0.01)
    observe(policy, -LOSSES[0], loss=LOSSES[0])
    for before, after in pairwise(LOSSES):
        observe(policy, -after, loss=after)
        delta = torch.log(torch.tensor(before) + 1e-8) - torch.log(torch.tensor(after) + 1e-8)
        optimiser.zero_grad()
        (gradient,) = torch.autograd.grad(torch.softmax(w, -1), w, grad_outputs=delta)
        w.grad = gradient
        optimiser.step()
        z = torch.softmax(w, -1).detach().numpy()
        weights = z / (after + 1e-8) if by_loss else z
        np.testing.assert_allclose(answer(policy), weights / weights.sum(), atol=1e-12)


def test_mt_grpo_code_is_the_released_update_with_torch():
    policy = MtGrpo(variant="code", exploration=0.0)
    policy.reset(TASKS)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([w], lr=0.025, weight_decay=1e-5)
    before = LOSSES[0]
    for scores in LOSSES:
        observe(policy, scores)
        signal = torch.tensor(scores - before + 0.2 * scores)
        before = scores
        optimiser.zero_grad()
        (gradient,) = torch.autograd.grad(torch.softmax(w, -1), w, grad_outputs=signal)
        w.grad = gradient
        optimiser.step()
        np.testing.assert_allclose(answer(policy), torch.softmax(w, -1).detach().numpy(), atol=1e-12)
