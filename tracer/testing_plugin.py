"""The pytest plugin: fixtures and reports for tests of traced pipelines."""

from __future__ import annotations
