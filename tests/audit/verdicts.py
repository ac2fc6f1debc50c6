"""Judge the answers of each tool against the truth, and set the table."""

import re

RIGHT_SHARE = 0.05  # the gain error of a GPU's sensor (arXiv 2312.02741) is no fault of a tool
RIGHT, SAID, SILENT = "right", "wrong, says so", "**WRONG AND SILENT**"
NONE = "no figure, says so"
KEPT = 70  # characters of what a tool said

HEAD = """# Side by side: what a fault does to the figure

The same faults on one simulated machine, whose energy is known in closed form, through {tools}.
Written on {date} by `python -m tests.audit.side_by_side`; each tool is used as its documentation says.
"""

RULES = """
- *right*: within 5 % of the truth, or nothing is said against the figure and the truth lies within its stated
  band; and the length of the window within 5 %, where the tool gives one.
- *wrong, says so*, or *no figure, says so*: anything else, with a flag, a reason, an exception, or a warning
  (Python's or in the tool's log) that it does not give when nothing is wrong. "–" stands for no figure.
- **WRONG AND SILENT**: a reader of the result and of the log has no way to know.
- Where no GPU is visible (`CUDA_VISIBLE_DEVICES` empty or -1) the truth is taken to be 0 J of GPU energy. Who
  means to bill the whole machine may see that otherwise, but then in the first window as in the second.
- "(sum)": what all the results bill together, which the machine has drawn only once.
- joulebench is two readings, subtracted; CodeCarbon `start()` and `stop()`; Zeus `begin_window()` and
  `end_window()`. "A window inside a window" and "counter wraps three times" use CodeCarbon's tasks, which
  read RAPL only at their two ends; the last row uses its process mode, in real time. Zeus has no such model.
- The simulated boards are of the Hopper generation; Zeus polls the power of boards before Volta, which is not
  tried here.
- A simulated sensor proves what a program does with a fault, not how often the fault occurs.
"""


def verdict(cell, usual):
    """Judge one answer; `usual` is what the tool also says when nothing is wrong."""
    if _figure_is_close(cell) and _length_is_right(cell):
        return RIGHT
    if unusual(cell, usual):
        return NONE if cell["joules"] is None else SAID
    return RIGHT if _within_band(cell) and _length_is_right(cell) else SILENT


def unusual(cell, usual):
    """Return what the tool said only here."""
    return [word for word in cell["says"] if _pattern(word) not in {_pattern(other) for other in usual}]


def verdicts(column):
    """Judge a tool's answers in the order of the scripts."""
    return [verdict(cell, usual_words(column, cell)) for cell in column["cells"]]


def usual_words(column, cell):
    """Return what the tool says of a machine with nothing wrong, when it is asked for the same domain."""
    usual = [other for other in column["cells"] if "nothing wrong" in other["title"]]
    return [word for other in usual if other["domain"] == cell["domain"] for word in other["says"]]


def page(columns, date):
    """Return the whole Markdown page."""
    tools = ", ".join(f"{name} {column['version']}" for name, column in columns.items())
    return "\n".join([HEAD.format(tools=tools, date=date), *table(columns), RULES, *score(columns)]) + "\n"


def table(columns):
    """Return the table's lines."""
    judged = {name: verdicts(column) for name, column in columns.items()}
    cells = next(iter(columns.values()))["cells"]
    lines = ["| script | truth (J) | " + " | ".join(f"{name} (J)" for name in columns) + " |"]
    lines.append("|--|--:|" + "--|" * len(columns))
    for row, cell in enumerate(cells):
        shown = [_shown(column, row, judged[name][row]) for name, column in columns.items()]
        lines.append(f"| {cell['title']} | {_number(cell['truth'])} | " + " | ".join(shown) + " |")
    return lines


def score(columns):
    """Return one line per tool: how often each verdict."""
    lines = [
        "| tool | right | wrong, says so | no figure, says so | wrong and silent |",
        "|--|--:|--:|--:|--:|",
    ]
    for name, column in columns.items():
        found = verdicts(column)
        counts = " | ".join(str(found.count(word)) for word in (RIGHT, SAID, NONE, SILENT))
        lines.append(f"| {name} {column['version']} | {counts} |")
    return lines


def _shown(column, row, word):
    cell = column["cells"][row]
    band = f" [{_number(cell['band'][0])}, {_number(cell['band'][1])}]" if cell["band"] else ""
    length = "" if _length_is_right(cell) else f", window of {cell['seconds']:.0f} s"
    said = unusual(cell, usual_words(column, cell)) if word != RIGHT else cell["says"] if band else []
    quoted = f": {_short('; '.join(said))}" if said else ""
    return f"{_number(cell['joules'])}{band}{length} · {word}{quoted}"


def _figure_is_close(cell):
    joules, truth = cell["joules"], cell["truth"]
    if joules is None:
        return truth == 0
    return abs(joules - truth) <= RIGHT_SHARE * truth


def _within_band(cell):
    return bool(cell["band"]) and cell["band"][0] <= cell["truth"] <= cell["band"][1]


def _length_is_right(cell):
    return cell["seconds"] is None or abs(cell["seconds"] - cell["window"]) <= RIGHT_SHARE * cell["window"]


def _pattern(word):
    """What is said, whatever the figures in it."""
    return re.sub(r"[\d.]+", "#", word)


def _short(text):
    text = text.replace("|", "/").replace("*", "")
    return text if len(text) <= KEPT else f"{text[:KEPT].rstrip()} …"


def _number(joules):
    if joules is None:
        return "–"
    return f"{joules:,.0f}".replace(",", " ") if abs(joules) >= 100 else f"{joules:.3g}"
