"""Tables."""

import statistics
import sys


def table(title, head, rows):
    """Prints a table; the first column is text, the others numbers."""
    print(f"### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|---|" + "--:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def limit(value, most, text):
    """A limit, and in words whether it was missed."""
    return f"≤ {text}" if value <= most else f"**≤ {text}: missed**"


def ratios(samples, base):
    """The median of the rounds' own ratios, with the smallest and the largest."""
    each = sorted(a / b for a, b in zip(samples, base, strict=True))
    return statistics.median(each), each[0], each[-1]


def note(text):
    """What is going on, for whoever waits."""
    print(text, file=sys.stderr, flush=True)
