"""One file per command. A module defines the command's function; `lookalike.cli.main` names them all."""
