"""Every text in the code, by file and line, to be read as its readers will: `python -m documentation.words`.

Messages and help are what a program prints; docstrings and comments are for those who work on it. Pages, the chart and
the examples are text themselves.
"""

import argparse
import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CODE = Path(__file__).parents[2] / "operator/tidegate"


class Text(NamedTuple):
    """A message, docstring or comment; what a message fills in stands in braces."""

    line: int
    kind: str
    words: str


def texts(source: str) -> list[Text]:
    """The texts of a module, in its order."""
    tree = ast.parse(source)
    return sorted([*_strings(tree), *_comments(source)])


def _strings(tree: ast.Module) -> Iterator[Text]:
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in parts:
            words = _words(node)
            if id(node) in statements:
                yield Text(node.lineno, "docstring", words)
            elif " " in words.strip():
                yield Text(node.lineno, "message", words)


def _words(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(words)):
            return words
        case ast.JoinedStr(values=parts):
            return "".join(map(_words, parts))
        case ast.FormattedValue(value=value):
            return f"{{{ast.unparse(value)}}}"
        case _:
            return ""


def _comments(source: str) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.start[0], "comment", token.string)


def main() -> None:
    """List the texts of these files or folders; without any, of all code."""
    parser = argparse.ArgumentParser(prog="python -m documentation.words", description=main.__doc__)
    parser.add_argument("places", nargs="*", type=Path, default=[CODE])
    parser.add_argument("--only", choices=["message", "docstring", "comment"])
    options = parser.parse_args()
    for place in options.places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for text in texts(path.read_text()):
                if options.only in (None, text.kind):
                    print(f"{path}:{text.line}: {text.kind}: {text.words}")


if __name__ == "__main__":
    main()
