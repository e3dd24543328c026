"""Ensembles: a weight for every model and reference; fitted on judgments, and then NumPy alone."""
