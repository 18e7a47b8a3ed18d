"""The command line. Each room that has commands describes them in its own file; here is the table of all.

rosin tpu-check file.py:f --topology v5e:2x2     compile for a TPU, and report
rosin explain file.py:f --arg "f32[64, 256]"     why the program for this processor is as it is
rosin zoo list | info NAME | train NAME | eval NAME     models that are ready
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from rosin.ir.errors import RosinError

COMMANDS = {
    "tpu-check": ("compile a program for a TPU, without one, and report", "rosin.frontend.cli:tpu_check_arguments"),
    "explain": (
        "what is computed together, what is not and why, and what that costs",
        "rosin.frontend.cli:explain_arguments",
    ),
    "zoo": ("models that are ready: list, info, train, eval", "rosin.stdlib.zoo.cli:arguments"),
}
"""What each command is for, and the function that tells a parser its arguments and, as `run`, what to do with them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the status to exit with."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(prog="rosin", description="Looks at Rosin programs, and runs models of the zoo.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (help, place) in COMMANDS.items():
        command = commands.add_parser(name, help=help)
        if given[:1] == [name]:
            module, _, function = place.partition(":")
            getattr(importlib.import_module(module), function)(command)
    options = parser.parse_args(given)
    try:
        print(options.run(options))
    except (RosinError, OSError) as error:
        print(f"rosin: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rosin: stopped", file=sys.stderr)
        return 130
    return 0
