"""Apportion decides, step by step, how much of the training budget each task of a multitask model gets."""

__version__ = "0.1.0"
