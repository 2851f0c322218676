"""Trace a RAG pipeline: decorate its functions, see whether the right passages were retrieved."""

__version__ = "0.1.0"
