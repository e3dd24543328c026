"""Metrics: accuracy against people, intervals, retrieval, calibration, agreement; pure functions of arrays."""
