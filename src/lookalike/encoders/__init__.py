"""Encoders: what turns pixels into features. One file per family; each registers itself by name."""
