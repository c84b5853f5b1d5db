"""`fooling data get mnist DIR`: downloads a data set."""

import sys

from fooling.data.idx import MNIST_MIRRORS, get_mnist
from fooling.errors import UserError
from fooling.settings.fields import user_path

USAGE = """usage: fooling data get mnist DIR [mirror=URL]

Downloads MNIST (11 MB) into DIR and checks the SHA-256 of its content. Files that are there already are kept, and
those of other data under the same names are refused.
  mirror=URL   take the files from URL/train-images-idx3-ubyte.gz, … instead of the public mirrors

Other sets are added only with a published digest; your own go to data.path as they are.
"""
SETS = ("mnist",)


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments) or not arguments:
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    mirrors = [word.removeprefix("mirror=") for word in arguments if word.startswith("mirror=")]
    words = [word for word in arguments if not word.startswith("mirror=")]
    if words[0:1] != ["get"] or len(words) != 3:
        raise UserError(f"expected: fooling data get mnist DIR, got: fooling data {' '.join(arguments)}")
    if not words[2]:
        raise UserError("DIR is empty: expected the folder to write to, as in fooling data get mnist mnist")
    name, folder = words[1], user_path(words[2])
    if name not in SETS:
        raise UserError(f"unknown data set {name!r}: expected one of {', '.join(SETS)}; others have no published digest here")

    get_mnist(folder, mirrors or MNIST_MIRRORS, say=lambda line: print(line, flush=True))
    print(f"use it with data.path={folder}")
    return 0
