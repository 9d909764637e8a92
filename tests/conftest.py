"""Shared fixtures."""

import pytest

from apportion import Task


@pytest.fixture
def tasks():
    """Three tasks of very different sizes."""
    return [Task(name="small", size=10), Task(name="middle", size=100, priority=2.0), Task(name="large", size=1000)]
