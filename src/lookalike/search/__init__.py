"""Nearest neighbours, and the table that holds what is searched."""
