"""The command line: parse arguments, call other modules, print results, set the exit code."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import signal
import sys
from typing import Any, NoReturn

import click

from membench import __version__
from membench.cli.mistakes import described
from membench.core.errors import EXIT_ERROR, EXIT_OK, EXIT_SIGNAL_BASE, EXIT_USAGE, MembenchError
from membench.core.text import one_line

_COMMANDS = {
    "run": "Measure this machine and write a results file.",
    "check": "Check whether this machine is as fast as expected, and name the slow parts.",
    "compare": "Compare results: each is better, worse, same or unclear.",
    "history": "Show one machine's runs over time, and when the results changed.",
    "replay": "Replay request traces and show the hit rate for each cache capacity.",
    "report": "Turn results files into a report (HTML, Markdown) or JSON verdicts.",
    "advise": "Recommend how to handle a model's KV cache on this machine.",
    "fleet": "Measure many hosts on a Dask cluster, and name the slow hosts.",
    "list": "List the cases that can run here, and say why the other cases cannot.",
    "info": "Show the properties of this machine.",
    "doctor": "Find settings that would spoil a measurement here, and name the fixes.",
    "import": "Turn another tool's results into a results file.",
    "export": "Turn a results file into another tool's format.",
    "explain": "Explain a flag, a bench, a case or a claim.",
}
_COMPLETE = "_MEMBENCH_COMPLETE"
"""Name of the environment variable with which a shell requests completions; click's convention."""
_SIGINT = 2
_NO_ARGUMENTS: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""The exception that click 8.2 and newer raises for a group without a command; else ``()``."""
_NEW_OBJECTS = 100_000
"""Number of new objects after which Python searches for cycles.

A start makes some ten thousand objects, most of them for modules, which are never freed.
"""
_WRITE_ERRORS = frozenset(
    (errno.EPIPE, errno.ECONNRESET, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
)
_LONGEST = 2000
"""Maximum length of an error message or a hint, in characters; longer text is cut."""


class _LazyGroup(click.Group):
    """A click group that imports the module of a command only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"membench.cli.{cmd_name}_command").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Without this method, click would import every command to get the command's help text.
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from membench.results.schema import SCHEMA

        click.echo(f"membench {__version__} ({SCHEMA})")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def group(ctx: click.Context, verbose: bool) -> None:
    """Measure what the memory tiers of this machine really deliver.

    Start with: membench run
    """
    ctx.obj = {"verbose": verbose}


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line ``argv``, and exit with the exit code of the command."""
    gc.set_threshold(_NEW_OBJECTS)
    _open_streams()
    # The output may contain characters outside the stream's encoding.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if _COMPLETE in os.environ:
        from membench.cli.shell_scripts import offer

        offer()
    # OpenBLAS takes longer to start its threads than click takes to load, and no command multiplies
    # large matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = _guarded(sys.argv[1:] if argv is None else argv)
    if code > EXIT_SIGNAL_BASE:
        _ignore_signals()
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _lost_output(error)
    sys.exit(code)


def _ignore_signals() -> None:
    """Ignore further signals: a second Ctrl-C would print a traceback and change the exit code.

    The interrupted command has already printed everything, and the process is about to exit.
    """
    from membench.measure.rounds.interrupt import SIGNALS

    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _open_streams() -> None:
    """Open the null device in place of each closed standard stream.

    Otherwise the next file that membench opens would get the descriptor 0, 1 or 2. A write to a
    closed standard output still fails. Text for a closed standard error is discarded.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free descriptor, which is the closed one
            os.set_inheritable(number, True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _guarded(argv: list[str]) -> int:
    verbose = bool({"-v", "--verbose"} & set(argv[:1]))
    try:
        result: Any = group.main(argv, prog_name="membench", standalone_mode=False)
    except MembenchError as error:
        return _complain(str(error), error.hint or error.usual_hint, error.exit_code, verbose)
    except click.UsageError as error:
        if isinstance(error, _NO_ARGUMENTS):
            click.echo(error.format_message(), err=True)
            return EXIT_USAGE
        return _complain(*described(error, _command(argv)), EXIT_USAGE, verbose)
    except click.ClickException as error:
        return _complain(error.format_message(), "membench --help", EXIT_ERROR, verbose)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return EXIT_SIGNAL_BASE + _SIGINT
    except OSError as error:
        if error.filename is None:
            if error.errno in _WRITE_ERRORS:  # a failed write to a stream has no file name
                return _lost_output(error)
            hint = MembenchError.usual_hint
            return _complain(error.strerror or str(error), hint, EXIT_ERROR, verbose)
        hint = (
            "use a shorter name"
            if error.errno == errno.ENAMETOOLONG
            else "check the path, its permissions and the free space of its disk"
        )
        return _complain(f"{error.filename}: {error.strerror}", hint, EXIT_ERROR, verbose)
    except Exception as error:
        hint = "this is a bug: repeat the command as 'membench -v ...' and report the traceback"
        return _complain(f"{type(error).__name__}: {error}", hint, EXIT_ERROR, verbose)
    return result if isinstance(result, int) else EXIT_OK


def _command(argv: list[str]) -> str:
    known = [word for word in argv[:1] if word in _COMMANDS]
    return " ".join(["membench", *known])


def _complain(message: str, hint: str, code: int, verbose: bool) -> int:
    if verbose:
        import traceback

        traceback.print_exc()
    click.echo(f"Error: {_line(message)}", err=True)
    click.echo(f"Hint: {_line(hint)}", err=True)
    return code


def _line(text: str) -> str:
    """``text`` as one printable line, cut after `_LONGEST` characters."""
    line = " ".join(one_line(text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _lost_output(error: OSError) -> int:
    """Report that a write to standard output failed, unless a reader closed the pipe.

    Returns the exit code. The null device replaces standard output, so that no flush at exit fails.
    """
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):  # a reader that closes the pipe does so on purpose
        what = f"cannot write to standard output: {error.strerror}"
        _complain(what, "check where standard output goes", EXIT_ERROR, verbose=False)
    return EXIT_ERROR
