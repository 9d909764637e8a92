"""Write `data/obp.npz` and `data/obp.json`: small logs of Open Bandit Pipeline and what its estimators say about them.

Run with an interpreter that has Open Bandit Pipeline 0.5.7 (its pins are too old for this Python; this works):

    python3.11 -m venv v_obp
    v_obp/bin/pip install torch numpy scipy scikit-learn pandas matplotlib seaborn pyyaml tqdm mypy-extensions
    v_obp/bin/pip install --no-deps --ignore-requires-python obp==0.5.7
    v_obp/bin/python tests/estimators/make_obp_reference.py
"""

import json
import platform
from pathlib import Path

import numpy as np
import obp
import scipy
import sklearn
from obp import ope
from obp.dataset import (
    SyntheticBanditDataset,
    SyntheticMultiLoggersBanditDataset,
    linear_reward_function,
    logistic_reward_function,
)
from obp.ope.helper import estimate_bernstein_lower_bound, estimate_student_t_lower_bound
from obp.utils import estimate_confidence_interval_by_bootstrap
from sklearn.linear_model import LinearRegression, Ridge

HERE = Path(__file__).parent / "data"


def target_of(expected: np.ndarray, sharpness: float) -> np.ndarray:
    """A softmax policy on the expected rewards, shape (n_rounds, n_actions, 1)."""
    logits = sharpness * (expected - expected.max(axis=1, keepdims=True))
    chances = np.exp(logits)
    return (chances / chances.sum(axis=1, keepdims=True))[:, :, None]


def plain(name: str, n_actions: int, reward_type: str, seed: int, arrays: dict, values: dict) -> None:
    dataset = SyntheticBanditDataset(
        n_actions=n_actions,
        dim_context=3,
        reward_type=reward_type,
        reward_function=logistic_reward_function if reward_type == "binary" else linear_reward_function,
        beta=-1.5 if reward_type == "binary" else -0.3,
        random_state=seed,
    )
    feedback = dataset.obtain_batch_bandit_feedback(n_rounds=150)
    target = target_of(feedback["expected_reward"], 3.0)
    model = ope.RegressionModel(base_model=Ridge(alpha=1.0), n_actions=n_actions)
    predictions = model.fit_predict(
        context=feedback["context"], action=feedback["action"], reward=feedback["reward"], n_folds=3, random_state=seed
    )
    # Without context a linear model without intercept is the weighted mean of each action.
    by_task = ope.RegressionModel(
        base_model=LinearRegression(fit_intercept=False), n_actions=n_actions, fitting_method="mrdr"
    )
    mrdr_predictions = by_task.fit_predict(
        context=np.zeros((150, 1)),
        action=feedback["action"],
        reward=feedback["reward"],
        pscore=feedback["pscore"],
        action_dist=target,
    )
    log = {
        "reward": feedback["reward"],
        "action": feedback["action"],
        "pscore": feedback["pscore"],
        "action_dist": target,
    }
    with_model = {**log, "estimated_rewards_by_reg_model": predictions}
    slots = {"position": np.zeros(150, dtype=int)}
    estimators = {
        "ips": ope.InverseProbabilityWeighting(),
        "clipped_ips": ope.InverseProbabilityWeighting(lambda_=2.0),
        "snips": ope.SelfNormalizedInverseProbabilityWeighting(),
        "direct_method": ope.DirectMethod(),
        "dr": ope.DoublyRobust(),
        "clipped_dr": ope.DoublyRobust(lambda_=2.0),
        "sndr": ope.SelfNormalizedDoublyRobust(),
        "switch_dr": ope.SwitchDoublyRobust(lambda_=2.0),
        "shrinkage_dr": ope.DoublyRobustWithShrinkage(lambda_=3.0),
        "sub_gaussian_ips": ope.SubGaussianInverseProbabilityWeighting(lambda_=0.1),
        "sub_gaussian_dr": ope.SubGaussianDoublyRobust(lambda_=0.1),
    }
    scores = {key: item._estimate_round_rewards(**with_model, **slots) for key, item in estimators.items()}
    scores["mrdr"] = ope.DoublyRobust()._estimate_round_rewards(
        **log, estimated_rewards_by_reg_model=mrdr_predictions, **slots
    )
    found = {key: float(value.mean()) for key, value in scores.items()}
    for key, item in estimators.items():
        assert found[key] == item.estimate_policy_value(**with_model, **slots), key
    lambdas = [0.5, 1.0, 2.0, 4.0, 8.0, 1000.0]
    tuned = {
        "clipped_ips": ope.InverseProbabilityWeightingTuning(lambdas=lambdas),
        "switch_dr": ope.SwitchDoublyRobustTuning(lambdas=lambdas),
        "shrinkage_dr": ope.DoublyRobustWithShrinkageTuning(lambdas=lambdas),
    }
    for item in tuned.values():
        item.estimate_policy_value_with_tuning(**with_model, **slots)
    arrays |= {
        f"{name}_action": feedback["action"],
        f"{name}_reward": feedback["reward"].astype(float),
        f"{name}_pi_b": feedback["pi_b"],
        f"{name}_target": target[:, :, 0],
        f"{name}_predictions": predictions[:, :, 0],
    } | {f"{name}_scores_{key}": value for key, value in scores.items()}
    ips = scores["ips"]
    values[name] = {
        "n_actions": n_actions,
        "truth": float(dataset.calc_ground_truth_policy_value(feedback["expected_reward"], target)),
        "values": found,
        "slope_lambdas": lambdas,
        "slope": {key: item.best_hyperparam for key, item in tuned.items()},
        "bernstein_lower_x_max_1000": estimate_bernstein_lower_bound(ips, x_max=1000.0, delta=0.025),
        "student_t_lower": estimate_student_t_lower_bound(ips, delta=0.025),
        "bootstrap_10000": list(
            estimate_confidence_interval_by_bootstrap(ips, n_bootstrap_samples=10000, random_state=1).values()
        ),
    }


def several_loggers(name: str, seed: int, arrays: dict, values: dict) -> None:
    dataset = SyntheticMultiLoggersBanditDataset(
        n_actions=4, dim_context=3, betas=[-1.0, 0.0, 2.0], rhos=[0.2, 0.5, 0.3], reward_type="continuous",
        reward_function=linear_reward_function, random_state=seed,
    )  # fmt: skip
    feedback = dataset.obtain_batch_bandit_feedback(n_rounds=150)
    target = target_of(feedback["expected_reward"], 3.0)
    rows = np.arange(150)
    # The probabilities under the other loggers follow from those of one: softmax(beta * logits) for each beta.
    betas, strata = np.array([-1.0, 0.0, 2.0]), feedback["stratum_idx"]
    logits = feedback["expected_reward"]
    powers = np.exp(betas[:, None, None] * (logits - logits.mean(axis=1, keepdims=True)))
    policies = powers / powers.sum(axis=2, keepdims=True)
    assert np.abs(policies[strata, rows] - feedback["pi_b"][:, :, 0]).max() < 1e-12
    propensities = policies[:, rows, feedback["action"]].T
    average = propensities @ (np.bincount(strata, minlength=3) / 150)
    predictions = ope.RegressionModel(base_model=Ridge(alpha=1.0), n_actions=4).fit_predict(
        context=feedback["context"], action=feedback["action"], reward=feedback["reward"], n_folds=2, random_state=seed
    )
    log = {
        "reward": feedback["reward"],
        "action": feedback["action"],
        "pscore": feedback["pscore"],
        "action_dist": target,
    }
    model = {"estimated_rewards_by_reg_model": predictions}
    found = {
        "ips": ope.MultiLoggersNaiveInverseProbabilityWeighting().estimate_policy_value(**log),
        "balanced_ips": ope.MultiLoggersBalancedInverseProbabilityWeighting().estimate_policy_value(
            **log, pscore_avg=average
        ),
        "weighted_ips": ope.MultiLoggersWeightedInverseProbabilityWeighting().estimate_policy_value(
            **log, stratum_idx=strata
        ),
        "dr": ope.MultiLoggersNaiveDoublyRobust().estimate_policy_value(**log, **model),
        "balanced_dr": ope.MultiLoggersBalancedDoublyRobust().estimate_policy_value(**log, **model, pscore_avg=average),
        "weighted_dr": ope.MultiLoggersWeightedDoublyRobust().estimate_policy_value(**log, **model, stratum_idx=strata),
    }
    arrays |= {
        f"{name}_action": feedback["action"],
        f"{name}_reward": feedback["reward"],
        f"{name}_pi_b": feedback["pi_b"],
        f"{name}_target": target[:, :, 0],
        f"{name}_predictions": predictions[:, :, 0],
        f"{name}_logger": strata,
        f"{name}_propensities": propensities,
    }
    values[name] = {"n_actions": 4, "values": {key: float(value) for key, value in found.items()}}


def main() -> None:
    arrays: dict = {}
    values: dict = {
        "made_by": "tests/estimators/make_obp_reference.py",
        "versions": {
            "obp": obp.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        },
    }
    plain("binary", 5, "binary", 12345, arrays, values)
    plain("continuous", 10, "continuous", 7, arrays, values)
    several_loggers("loggers", 3, arrays, values)
    np.savez_compressed(HERE / "obp.npz", **arrays)
    (HERE / "obp.json").write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
