"""The console script: `fooling COMMAND key=value …`."""

import sys
from difflib import get_close_matches
from importlib import import_module

from fooling.errors import UserError, guarded

# A command is a module with SUMMARY and main(arguments) -> exit code; a new one is one file and one row here.
COMMANDS = {
    "run": "fooling.run",
    "ladder": "fooling.commands.ladder",
    "matrix": "fooling.commands.matrix",
    "gallery": "fooling.commands.gallery",
    "plausibility": "fooling.commands.plausibility",
    "examine": "fooling.commands.examine",
    "classify": "fooling.commands.classify",
    "border": "fooling.commands.border",
    "scramble": "fooling.commands.scramble",
    "damage": "fooling.commands.damage",
    "eigen": "fooling.commands.eigen",
    "mean": "fooling.commands.mean",
    "train": "fooling.commands.train",
    "stats": "fooling.commands.stats",
    "data": "fooling.commands.data",
}


def dispatch(arguments: list[str]) -> int:
    """Runs the command that the first word names."""
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(overview())
        return 0
    if arguments[0] == "--version":
        from fooling import __version__

        print(__version__)
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]!r}? " if near else "fooling run digit=2 is the main job; " if "=" in name else ""
        raise UserError(f"unknown command {name!r}: {hint}expected one of {', '.join(COMMANDS)}")
    code: int = import_module(COMMANDS[name]).main(rest)
    return code


def overview() -> str:
    """The commands, a line each."""
    lines = ["usage: fooling COMMAND key=value …", ""]
    lines += [f"  {name:<14}{import_module(module).SUMMARY}" for name, module in COMMANDS.items()]
    return "\n".join([*lines, "", "fooling COMMAND --help shows every setting of a command."])


def main() -> int:
    """The console script's entry."""
    return guarded(dispatch, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
