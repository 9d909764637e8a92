"""One decision and update of a peer's selection rule, run by `bench_policies.py` under the peer's own interpreter."""

import json
import random
import sys
import tempfile
import time


def odm(n_tasks):
    """fms-acceleration-odm: draw a category, then update all weights from one reward each; no data, no log."""
    import torch
    from fms_acceleration_odm.odm import OnlineMixingDataset

    data = {str(index): [torch.zeros(4)] for index in range(n_tasks)}
    with tempfile.TemporaryDirectory() as folder:
        mixing = OnlineMixingDataset(data, None, dict.fromkeys(data), None, output_dir=folder)
    # Small rewards: with the default rates its weights reach infinity, and then NaN, within some thousand updates.
    rewards = [1e-3 * random.random() for _ in range(n_tasks)]

    def work():
        mixing._rng.choices(range(mixing.total_categories), weights=mixing.sampling_ratio, k=1)
        mixing._update_weights(torch.tensor([1] * n_tasks), torch.tensor(rewards))

    return work


def syllabus(n_tasks):
    """syllabus-rl: OnlineLearningProgress draws a task, takes one success, and updates its averages."""
    from syllabus.curricula import OnlineLearningProgress
    from syllabus.task_space import DiscreteTaskSpace

    curriculum = OnlineLearningProgress(DiscreteTaskSpace(n_tasks), update_interval=1)

    def work():
        task = curriculum.sample()[0]
        curriculum.update_task_progress(task, float(random.random() < 0.5))
        curriculum.update_on_episode(1.0, 1, task, 1.0)

    return work


if __name__ == "__main__":
    import warnings

    import numpy as np

    warnings.simplefilter("ignore")
    name, n_tasks, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    random.seed(0)
    work = {"odm": odm, "syllabus": syllabus}[name](n_tasks)
    times = []
    for step in range(rounds):
        start = time.perf_counter_ns()
        work()
        if step >= rounds // 10:
            times.append((time.perf_counter_ns() - start) / 1e3)
    line = {"peer": name, "n_tasks": n_tasks, "rounds": len(times)}
    line |= {"median_us": round(float(np.median(times)), 1), "p90_us": round(float(np.quantile(times, 0.9)), 1)}
    print(json.dumps(line))
