"""The command `gristmill`: assembles the verbs and tells mistakes in one line.

Exit codes: 0 done; 1 done except for inputs that could not be read; 2 a user's mistake; 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from gristmill import __version__
from gristmill.base.errors import UserError
from gristmill.cli import classifier, corpus, decontaminate, demo, doctor, mix, trace, train

app = typer.Typer(
    name="gristmill",
    help="From a Common Crawl archive to a hybrid Mamba-2 reasoning model, on one graph of manifests.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.add_typer(corpus.app, name="corpus")
app.add_typer(classifier.app, name="classifier")
app.add_typer(decontaminate.app, name="decontaminate")
app.add_typer(mix.app, name="mix")
app.command("train")(train.train)
app.command("generate")(train.generate)
app.command("trace")(trace.trace)
app.command("doctor")(doctor.doctor)
app.command("schema")(doctor.schema)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"gristmill {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a Common Crawl archive to a hybrid Mamba-2 reasoning model, on one graph of manifests."""


def run() -> None:
    """Entry point of the console script: the app, with mistakes and full disks told in one line."""
    sys.exit(run_app(sys.argv[1:]))


def run_app(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (Exception, KeyboardInterrupt) as error:
        return _explain(error)


def _explain(error: BaseException) -> int:
    """The exit code of an error that a person can understand in one line; any other error is raised again."""
    code = 2
    if isinstance(error, UserError):
        print(f"error: {error}", file=sys.stderr)
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" at {error.filename}" if error.filename else ""
        print(f"error: no space left{where}; free some, then the same command goes on", file=sys.stderr)
    elif isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        print("interrupted; the same command again goes on from here", file=sys.stderr)
        code = 130
    elif isinstance(error, BrokenPipeError):
        # The reader of our output has gone (`| head`): not an error, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    elif hasattr(error, "show") and hasattr(error, "exit_code"):
        # A usage error of the option parser, whose class lives in different modules in versions of typer.
        error.show()
        code = int(error.exit_code)
    else:
        raise error
    return code


if __name__ == "__main__":
    run()
