"""What every other part stands on: errors, array types, progress, the registry, the workspace folder."""
