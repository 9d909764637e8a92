"""A run of several processes, started by the tests through torch's launcher; the first one writes the result."""

import json
import sys
from pathlib import Path

from apportion.budget import Steps
from apportion.run import RunDirectory
from apportion.training import Settings
from training.workloads import small, trainer

CASES = {
    "plain": ({"budget": Steps(12)}, Settings(schedule="constant")),
    "measured": (
        {"budget": Steps(30), "policy": "exp3s", "signal": "prediction_gain"},
        Settings(accumulate=2, evaluation_size=16, clip=1.0),
    ),
    "gradients": ({"budget": Steps(60), "policy": "pike", "signal": "gradient_norm"}, Settings(evaluation_size=16)),
}


def main(folder):
    found = {}
    for name, (options, settings) in CASES.items():
        path = Path(folder) / name
        made = trainer(small(), settings=settings, run=RunDirectory(path), checkpoint_every=5, **options)
        result = made.run()
        weights = [round(float(value.double().sum()), 9) for value in made.model.state_dict().values()]
        found[name] = {"scores": result.scores, "counts": result.counts, "spent": result.spent, "weights": weights}
        if made.processes.is_main:
            (Path(folder) / f"{name}.json").write_text(json.dumps(found[name]))


if __name__ == "__main__":
    main(sys.argv[1])
