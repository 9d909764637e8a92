"""Ready workloads: digits, GLUE, SuperGLUE, generated ones, and a user's own files."""

from .derived import with_decoys, with_validation_from_training
from .digits import digits
from .encoders import DEFAULT_ENCODER
from .files import FileTask, files
from .glue import glue
from .superglue import superglue
from .tables import Table, read_hub, read_table
from .tabular import tabular
from .toys import toys
from .vision import vision
from .workload import TextOptions, TextTask, text_taskset

TASKSETS = ("digits", "glue", "superglue", "toys", "tabular", "vision", "files")
"""Names of the workloads, as commands know them."""

__all__ = [
    "DEFAULT_ENCODER",
    "TASKSETS",
    "FileTask",
    "Table",
    "TextOptions",
    "TextTask",
    "digits",
    "files",
    "glue",
    "read_hub",
    "read_table",
    "superglue",
    "tabular",
    "text_taskset",
    "toys",
    "vision",
    "with_decoys",
    "with_validation_from_training",
]
