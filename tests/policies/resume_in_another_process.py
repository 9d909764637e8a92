"""Load the state of every policy from a file, go on, and print the probabilities as hexadecimal bytes."""

import json
import sys
from pathlib import Path

from apportion.policies import POLICIES
from apportion.testing._script import TASKS, play, script, start

states, first = json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])
instances = [instance for cls in POLICIES for instance in cls.examples()]
answers = []
for policy, state in zip(instances, states, strict=True):
    # The script again up to the saved step, by a policy that is then thrown away: it brings the context there.
    events = script(policy, n_steps=40, n_runs=2, n_tasks=len(TASKS))
    context = start(events)
    policy.reset(TASKS, 2)
    play(policy, events, context, first)
    resumed = policy.clone()
    resumed.reset(TASKS, 2)
    resumed.load_state_dict(state)
    answers.append([answer.tobytes().hex() for answer in play(resumed, events, context)])
print(json.dumps(answers))
