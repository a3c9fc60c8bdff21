"""Run a command under a pseudo-terminal of a given width: ``in_terminal.py COLUMNS COMMAND...``."""

import fcntl
import os
import pty
import struct
import sys
import termios


def main() -> int:
    """Copy the output of the command to standard output, and return its exit code."""
    columns, *command = sys.argv[1:]
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, int(columns), 0, 0))
        os.execvp(command[0], command)
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the command has closed its side
            break
        if not data:
            break
        sys.stdout.buffer.write(data)
    sys.stdout.flush()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
