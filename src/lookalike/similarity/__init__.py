"""Similarity models: fitted on pairs or judgments, and then NumPy alone."""
