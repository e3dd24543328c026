"""What a run shows: contact sheets, tables, plots, pages."""
