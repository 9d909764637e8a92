"""Errors that a caller may want to catch by name; everything else is a built-in type."""


class ApportionError(Exception):
    """Base of the errors below, so that a caller can catch all of them at once."""


class ConstraintError(ApportionError, ValueError):
    """Constraints that no probabilities can satisfy; the message gives the numbers that clash."""


class OverlapError(ApportionError, ValueError):
    """A target policy needs a task where the log never tried it, so no estimate is possible."""


class LogFormatError(ApportionError, ValueError):
    """A log that cannot be trusted; the message names the line and the field."""


class FingerprintError(ApportionError, ValueError):
    """A saved state that belongs to other tasks, another policy or other constraints."""


class CheckpointError(ApportionError, ValueError):
    """A checkpoint or run directory that is damaged or incomplete."""


class MissingExtraError(ApportionError, ImportError):
    """A feature whose optional dependencies are not installed; the message says what to install."""
