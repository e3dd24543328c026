"""The web app and the REST API: one page, plain files, no build step."""
