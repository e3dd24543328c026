"""One use case per file: what the command line and the web app call, and nothing else."""
