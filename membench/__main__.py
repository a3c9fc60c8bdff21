"""`python -m membench`: the same as the `membench` command."""

from membench.cli import main

if __name__ == "__main__":
    main()
