"""The exceptions of membench, and the exit codes of the command line."""

from __future__ import annotations

from typing import ClassVar, NoReturn

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_FINDING = 3
EXIT_NOTHING = 4
EXIT_SIGNAL_BASE = 128  # a run that signal n interrupts exits with 128 + n, such as 130 for SIGINT


class MembenchError(Exception):
    """An error that the user can understand and act on.

    ``str(error)`` is one line with the problem, and ``hint`` is one line with the remedy. The
    command line shows ``usual_hint`` if ``hint`` is empty.
    """

    exit_code = EXIT_ERROR
    usual_hint: ClassVar[str] = "repeat the command as 'membench -v ...' to see a traceback"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(MembenchError):
    """The arguments are invalid, contradict each other, or name something that does not exist."""

    exit_code = EXIT_USAGE
    usual_hint = "membench COMMAND --help shows the arguments"


class NothingMatched(MembenchError):
    """No case, result or reference matches the arguments."""

    exit_code = EXIT_NOTHING
    usual_hint = "membench list names the cases; '*' also matches slashes"


class SchemaError(MembenchError):
    """A file cannot be read, or its content does not have the expected format."""

    usual_hint = "docs/results-schema.md describes results files"


class JournalError(MembenchError):
    """A journal cannot be written, read or resumed."""

    usual_hint = "start a new run with a new file name: -o NEW.csv"


class OutputError(MembenchError):
    """membench cannot write results to the requested path."""

    usual_hint = "choose another path with -o"


class BackendUnavailable(MembenchError):
    """The hardware, its driver or a library is missing or unsuitable."""

    usual_hint = "'membench doctor' shows what is missing on this machine, and how to install it"


class RegistersSpilled(MembenchError):
    """A kernel would use local memory, for example because a thread has too few registers."""


class DeviceLost(MembenchError):
    """The process can no longer use the device; a new process may be able to use the device.

    An example is a CUDA error that persists in the context, such as an illegal address or an ECC
    error. The case fails, and a new worker process measures the remaining cases.
    """


class WorkerError(MembenchError):
    """A worker process cannot be started."""


class VerificationFailed(MembenchError):
    """The result of the work is wrong, so the measured number is invalid."""


class Skip(Exception):
    """This machine cannot run the case; the message is the reason in the row."""


def skip(reason: str) -> NoReturn:
    """Raise `Skip` from a bench function; the case then becomes a row with the status `skipped`."""
    raise Skip(reason)
