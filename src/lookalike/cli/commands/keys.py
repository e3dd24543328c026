"""``lookalike keys``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import DEFAULT_WORKSPACE, JsonOption, QuietOption, WorkspaceOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

app = typer.Typer(
    name="keys",
    help="Keys for a server that other machines can reach: who may read, answer, or do all.",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")]
ROLES = ("reader", "annotator", "admin")


@app.command()
def add(
    name: NameArgument,
    role: Annotated[
        str,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="reader (search and see), annotator (answer questions, too), or admin (everything).",
        ),
    ] = "reader",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a key. It is shown this once: the workspace keeps only its hash."""
    from lookalike.core.errors import UnknownNameError
    from lookalike.jobs.keys import Role, add_key

    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES)
    secret = add_key(workspace, name, Role[role.upper()])
    Console(json, quiet).result({"name": name, "role": role, "key": secret}, lambda screen: _show(screen, secret))


@app.command("list")
def list_(workspace: WorkspaceOption = DEFAULT_WORKSPACE, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the keys: names, roles, and since when."""
    from lookalike.jobs.keys import list_keys

    rows = [key.as_json() for key in list_keys(workspace)]
    Console(json, quiet).result({"keys": rows}, lambda screen: _list(screen, rows))


@app.command()
def revoke(
    name: NameArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take a key back; a running server refuses it at once."""
    from lookalike.jobs.keys import revoke_key

    revoke_key(workspace, name)
    Console(json, quiet).result({"revoked": name}, lambda screen: screen.print(f"revoked: {name}", markup=False))


def _show(screen: RichConsole, secret: str) -> None:
    screen.print(secret, markup=False, highlight=False, soft_wrap=True)


def _list(screen: RichConsole, rows: list[dict[str, str]]) -> None:
    if not rows:
        screen.print("no keys yet: lookalike keys add NAME --role reader makes one", markup=False)
    for row in rows:
        screen.print(f"{row['name']}  {row['role']}, since {row['made']}", markup=False, highlight=False)
