"""The REST API under /api/v1, one resource per file."""
