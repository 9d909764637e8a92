"""The decision log: append-only JSON lines, one per decision, that lose nothing when the process is killed.

The first line is a header (see `header`). Then every line is one of

- a decision: `step`, `task`, `p` (probabilities in the order of the tasks), `status` (`told`, `skipped` or
  `pending`), `reward` (null where none came), `cost`, `examples`, `measured`;
- an evaluation: `evaluation` (its number), `step`, `spent`, `cost`, `scores` by task (null where undefined),
  `measured`, and `credits`, the rewards that it brought to earlier decisions, as `[step, reward]`;
- an event: `event`, `step` and what belongs to it, such as `migrated` with the new header.

Decisions stand in the order in which they were settled; readers sort them by step.
"""

from .export import write_npz, write_parquet
from .header import differences, fingerprint, header, task_dict
from .reader import Log, LoggedEvaluation, read_log
from .writer import LogWriter

__all__ = [
    "Log",
    "LogWriter",
    "LoggedEvaluation",
    "differences",
    "fingerprint",
    "header",
    "read_log",
    "task_dict",
    "write_npz",
    "write_parquet",
]
