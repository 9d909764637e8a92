"""Ready workloads: digits, GLUE, SuperGLUE, and a user's own files."""

from .digits import digits
from .encoders import DEFAULT_ENCODER
from .files import FileTask, files
from .glue import glue
from .superglue import superglue
from .tables import Table, read_hub, read_table
from .workload import TextOptions, TextTask, text_taskset

TASKSETS = ("digits", "glue", "superglue", "files")
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
    "text_taskset",
]
