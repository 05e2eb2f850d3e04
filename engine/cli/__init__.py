"""The `tocsin` command: one file a command, the way in is `main`.

Importing it, and `tocsin --help`, load nothing heavy: what a command needs it imports when it runs.
"""


def main() -> None:
    """Runs the command line and ends the process with its exit code; never a traceback for an expected failure."""
    from engine.cli.app import app

    app(prog_name="tocsin")
