"""Sizes as people write them in our YAML files, and as we show them."""

from __future__ import annotations

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def parse_size(text: str) -> int:
    """Return the bytes that "10 GiB" means; raises ValueError for anything else."""
    number, _, unit = text.strip().partition(" ")
    if unit not in _UNITS or not number.isdigit() or int(number) == 0:
        raise ValueError(f"{text!r} is not a size such as '10 GiB' ({', '.join(_UNITS)})")
    return int(number) * _UNITS[unit]


def shown_size(size_bytes: float) -> str:
    """Return "1.5 GiB" for a number of bytes: the largest unit of which there is one at least."""
    number, shown = size_bytes, "B"
    for unit in _UNITS:
        if number < 1024:
            break
        number, shown = number / 1024, unit
    return f"{number:.0f} B" if shown == "B" else f"{number:.1f} {shown}"
