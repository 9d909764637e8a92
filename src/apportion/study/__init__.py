"""Studies: policies x worlds or tasksets x seeds, on one machine or a cluster, resumable."""

from .jobs import ENGINES, Engine, Job, run_jobs
from .worlds import WorldRow, WorldStudy, study_worlds

__all__ = ["ENGINES", "Engine", "Job", "WorldRow", "WorldStudy", "run_jobs", "study_worlds"]
