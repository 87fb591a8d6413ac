"""Write thesis_figures.md from thesis_figures.csv: `make docs`."""

import csv
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).parent
TABLE, PAGE = HERE / "thesis_figures.csv", HERE / "thesis_figures.md"
FOREWORD = """# The thesis' figures

The recording behind [arXiv:2502.07800](https://arxiv.org/abs/2502.07800) is not public. The \
targets below draw a simulated bird with its numbers (75 units, 13.2 million spikes, 3,459 \
syllables) and say so on their faces; what the bird of the thesis would show, they cannot. With \
another bird's name in the place of `thesis` they draw that bird, simulated, public or your own:

    snakemake --cores 2 --configfile config/thesis.yaml -- results/growing_windows/thesis.png
    snakemake --cores 2 -- results/growing_windows/bird1.png

Settings beside a target go in as well: `--configfile config/thesis.yaml --config \
'features=[onset,moving]' -- results/…`. The thesis' numbers, rather than its figures, stand in \
`results/thesis/thesis.png`: published, the same protocol here, an honest protocol, and its \
null.

C counts the figures of classifiers and networks, T those of tokens, embeddings and \
autoencoders; numbers are ours, since many figures there have none. *There* is what was wrong \
with a figure, *here* what ours does instead. This page is written by `make docs` from \
`thesis_figures.csv`; correct that.
"""


def rows() -> list[dict[str, str]]:
    """Return the table: number, part, title, target, with, there, here."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page() -> str:
    """Return the page, a table for each part of the thesis."""
    lines = [FOREWORD]
    for part, figures in groupby(rows(), key=lambda row: row["part"]):
        lines += [f"## {part}", "", "| | title | target | there | here |", "|---|---|---|---|---|"]
        lines += [_line(row) for row in figures] + [""]
    return "\n".join(lines[:-1]) + "\n"


def _line(row: dict[str, str]) -> str:
    settings = f" `{row['with']}`" if row["with"] else ""
    target = f"`{row['target']}`{settings}"
    return f"| {row['number']} | {row['title']} | {target} | {row['there']} | {row['here']} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
