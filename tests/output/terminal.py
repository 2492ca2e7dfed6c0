"""What a terminal shows of what was written to it: as much of one as our own text uses."""

from __future__ import annotations

import re

from calamari_py.output._words import cells

_TOKEN = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|(.)", re.DOTALL)


def shown(text: str, *, raw: bool = False) -> list[str]:
    """The rows, each without blanks at its end. ValueError for a sequence that we do not use. A
    `raw` terminal begins a new row where the last one ended."""
    rows, column = [""], 0
    below: list[str] = []
    for match in _TOKEN.finditer(text):
        parameters, final, char = match.groups()
        if final == "A":
            up = int(parameters)
            rows, below = rows[: len(rows) - up], rows[len(rows) - up :]
        elif final == "J" and not parameters:
            rows[-1], below = rows[-1][:column], []
        elif final == "K":
            if parameters != "2":
                raise ValueError(match[0])
            rows[-1] = ""
        elif final == "m" or (char and not cells(char)):
            continue
        elif final:
            raise ValueError(match[0])
        elif char == "\r":
            column = 0
        elif char == "\n":
            rows.append(below.pop(0) if below else "")
            column = column if raw else 0
        else:
            row = rows[-1].ljust(column)
            rows[-1] = row[:column] + char + row[column + 1 :]
            column += 1
    return [row.rstrip() for row in [*rows, *below]]
