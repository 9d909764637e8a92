"""The reference model: given, of an earlier run, or trained first on a part of the budget."""

import numpy as np
import pytest
import torch

from apportion.budget import Steps
from apportion.errors import CheckpointError
from apportion.run import RunDirectory
from apportion.training import Settings, make_model
from training.workloads import dropping_encoder, part, small, trainer

SETTINGS = Settings(evaluation_size=16, evaluate_every=12)


def weights(model):
    return torch.cat([weight.detach().reshape(-1) for weight in model.parameters()])


def test_a_policy_that_needs_a_reference_gets_one_trained_by_equal_shares_on_a_fifth_of_the_budget():
    made = trainer(policy="doremi", signal="excess_loss", budget=Steps(60), settings=SETTINGS)
    assert made.plan().reference_cost == 12
    assert made.plan().decisions == pytest.approx(48 / (1 + 1 / 3), rel=0.4)  # the plan knows no probes
    result = made.run()
    assert result.reference_cost == 12
    assert result.spent == pytest.approx(60, abs=4 / 3)
    assert result.evaluations[0].cost == 12
    assert result.evaluation_cost == 0
    alone = trainer(budget=Steps(12), settings=Settings(evaluation_size=16))
    alone.run()
    assert torch.equal(weights(made.reference.model), weights(alone.model))


def test_the_learning_rate_does_not_start_where_the_reference_ended():
    made = trainer(policy="doremi", signal="excess_loss", budget=Steps(60), settings=SETTINGS)
    rates = []

    class Rates:
        def __getattr__(self, name):
            return lambda trainer, *rest: rates.append((name, trainer.optimizer.param_groups[0]["lr"]))

    made.callbacks = (Rates(),)
    made.run()
    first = next(rate for name, rate in rates if name == "stepped")
    assert first == pytest.approx(1e-2)
    assert rates[-1][1] == pytest.approx(0.0, abs=1e-2 / 20)


def test_a_run_with_a_reference_resumes_exactly(tmp_path):
    def make(run):
        return trainer(
            small(encoder=dropping_encoder),
            policy="doremi",
            signal="excess_loss",
            budget=Steps(60),
            settings=SETTINGS,
            run=run,
            checkpoint_every=10,
        )

    whole = make(RunDirectory.create(tmp_path / "whole", config=""))
    whole.run()
    first = RunDirectory.create(tmp_path / "first", config="")
    stopped = make(first)

    class StopError(Exception):
        pass

    class Stopper:
        def __getattr__(self, name):
            def hear(trainer, *rest):
                if name == "saved" and trainer.loader.selector.step >= 20:
                    raise StopError

            return hear

    stopped.callbacks = (Stopper(),)
    with pytest.raises(StopError):
        stopped.run()
    again = make(RunDirectory.open(tmp_path / "first"))
    again.resume()
    again.run()
    assert torch.equal(weights(again.model), weights(whole.model))
    assert torch.equal(weights(again.reference.model), weights(whole.reference.model))
    assert again.reference.cost == 12


def test_the_model_of_an_earlier_run_can_be_the_reference_and_costs_nothing(tmp_path):
    run = RunDirectory.create(tmp_path / "earlier", config="")
    earlier = trainer(budget=Steps(20), run=run)
    earlier.run()
    earlier.save()
    settings = Settings(evaluation_size=16, reference=str(run.path))
    made = trainer(policy="doremi(feedback='evaluations')", settings=settings)
    assert torch.equal(weights(made.reference.model), weights(earlier.model))
    assert made.plan().reference_cost == 0
    result = made.run()
    assert result.reference_cost == 0
    assert result.evaluations[0].measured["reference_loss"].keys() == {"a", "b", "c.d"}


def test_a_reference_that_is_none_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        trainer(policy="doremi", signal="excess_loss", settings=Settings(reference=str(tmp_path)))
    run = RunDirectory.create(tmp_path / "other", config="")
    other = trainer(small(parts=(part("z"),)), run=run)
    other.save()
    with pytest.raises(CheckpointError, match="another model"):
        trainer(policy="doremi", signal="excess_loss", settings=Settings(reference=str(run.path)))
    # Nobody looks at it where nobody needs it.
    assert trainer(settings=Settings(reference="nowhere")).reference.model is None


def test_policies_hear_what_the_reference_would_lose():
    reference = make_model(small(), 0)
    policy_settings = Settings(evaluation_size=16, learning_rate=1e-30)
    made = trainer(policy="doremi(feedback='evaluations')", reference=reference, settings=policy_settings)
    result = made.run()
    found = result.evaluations[-1].measured
    for name in ("a", "b", "c.d"):
        assert found["reference_loss"][name] == pytest.approx(found["loss"][name], abs=1e-6)
    assert np.isfinite(result.spent)
