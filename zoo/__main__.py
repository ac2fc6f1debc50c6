"""Print the facts of every network: `python -m zoo`, or `python -m zoo --markdown` for the README's table."""

import argparse

from zoo import facts


def main() -> None:
    """Print parameters, multiply-accumulates, activation memory and paper of each network."""
    parser = argparse.ArgumentParser(prog="python -m zoo", description=main.__doc__)
    parser.add_argument("--markdown", action="store_true", help="as the table in README.md")
    layout = facts.markdown if parser.parse_args().markdown else facts.text
    print(layout(facts.every()))


if __name__ == "__main__":
    main()
