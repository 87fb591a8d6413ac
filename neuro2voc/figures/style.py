"""What all figures share: sizes, colours, and the words that say what kind of bird is seen.

Figures are made without pyplot, so nothing asks for a screen, and under this style alone, so that
nobody's matplotlibrc changes them.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from neuro2voc.recording import Recording

MM = 1 / 25.4  # inches
COLUMN, PAGE = 85, 180  # mm, the widths that journals print
TITLE, TEXT, SMALL = 8, 7, 6.5  # pt at those widths
LINE = 3.2  # mm between two lines of text
MARGIN = 1.5  # mm
BOLD = 1.13  # times as wide as plain type

# Okabe & Ito (2008), told apart with any colour vision.
BLACK, GREY, PALE = "#000000", "#767676", "#c8c8c8"
ORANGE, SKY, GREEN = "#e69f00", "#56b4e9", "#009e73"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"
# Brown in the place of yellow, which is lost on white.
SYLLABLES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, "#6b4c2a")
# Tol's "muted" scheme, so that no region is taken for a syllable.
REGIONS = ("#332288", "#44aa99", "#882255", "#999933", "#cc6677", "#117733", "#aa4499")

RC = {
    "figure.dpi": 200,
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handletextpad": 0.5,
    "legend.handlelength": 1.5,
    "legend.borderpad": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 0.9,
    "text.parse_math": False,  # a label may hold a dollar sign
    "pdf.fonttype": 42,  # text stays text
}


def in_style() -> AbstractContextManager:
    """Return a context of matplotlib's defaults and this style, nothing else."""
    return matplotlib.style.context(["default", RC])


class StyledFigure(Figure):
    """A figure that is also drawn and saved in this style; some settings are read only then."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw in style."""
        with in_style():
            super().draw(renderer)

    def savefig(self, *args: object, **kwargs: object) -> None:
        """Save in style."""
        with in_style():
            super().savefig(*args, **kwargs)


def new_figure(
    width: float,
    height: float,
    title: str,
    lines: Iterable[str] = (),
    notes: Iterable[str] = (),
    keys: int = 0,
    kind: str = "",
) -> Figure:
    """Return an empty figure with its words in place.

    Parameters
    ----------
    width : float
        mm.
    height : float
        mm for the axes, which constrained layout arranges; words come on top of it.
    title : str
        First line, bold.
    lines : iterable of str
        What is to be seen, under the title.
    notes : iterable of str
        What has to be known besides, at the foot.
    keys : int
        Rows of the legend (see `legend_below`) between axes and notes.
    kind : str
        Of bird (see `kind_of`), for the stamp.
    """
    lines, notes = wrapped(lines, width, TEXT), wrapped(notes, width, SMALL)
    beside = text_width(title, TITLE * BOLD) + text_width(kind, TEXT * BOLD) + 6 < width
    stamped = 0 if beside or not kind else LINE + 2  # a line of its own for the stamp
    top = stamped + LINE * (len(lines) + 1) + 3
    bottom = LINE * (len(notes) + keys) + (1.5 if notes or keys else 0)
    whole = top + height + bottom
    figure = StyledFigure(figsize=(width * MM, whole * MM), layout="constrained")
    figure.get_layout_engine().set(
        rect=(0, bottom / whole, 1, height / whole), w_pad=1 * MM, h_pad=1 * MM, wspace=0, hspace=0
    )
    place = {"x": MARGIN / width, "va": "top", "ha": "left"}
    figure.text(y=1 - (1.4 + stamped) / whole, s=title, size=TITLE, weight="bold", **place)
    for i, line in enumerate(lines, start=1):
        figure.text(y=1 - (2 + stamped + LINE * i) / whole, s=line, size=TEXT, **place)
    for i, line in enumerate(notes):
        y = (bottom - 0.8 - LINE * (keys + i)) / whole
        figure.text(y=y, s=line, size=SMALL, color="#404040", **place)
    stamp(figure, kind)
    return figure


def wrapped(paragraphs: Iterable[str], width: float, size: float) -> list[str]:
    """Break paragraphs into lines that fit a figure of `width` mm in type of `size` pt."""
    lines = []
    for words in map(str.split, paragraphs):
        line = ""
        for word in words:
            longer = f"{line} {word}".strip()
            if line and text_width(longer, size) > width - 2 * MARGIN:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def text_width(text: str, size: float) -> float:
    """Return how wide (mm) a text is in type of `size` pt."""
    if not text.strip():
        return 0.0
    # The outline's points; exact extents of its curves would take a hundred times as long.
    return float(TextPath((0, 0), text, size=size).vertices[:, 0].max()) / 72 / MM


def kind_of(recording: Recording) -> str:
    """Return what a reader must know before believing anything: '' for a real bird."""
    words = ["simulated"] if recording.simulated else []
    words += [f"surrogate: {recording.surrogate}"] if recording.surrogate else []
    return ", ".join(words)


def stamp(figure: Figure, kind: str) -> None:
    """Write the kind of bird (see `kind_of`) into the figure's upper right corner."""
    if not kind:
        return
    width, height = (side / MM for side in figure.get_size_inches())
    figure.text(
        x=1 - 2 / width,
        y=1 - 1.4 / height,
        s=kind,
        ha="right",
        va="top",
        size=TEXT,
        weight="bold",
        color=VERMILION,
        bbox={"boxstyle": "square,pad=0.2", "fc": "white", "ec": VERMILION, "lw": 0.8},
    )


def colors_of(names: Iterable[str], colors: tuple[str, ...]) -> Mapping[str, str]:
    """Give each name a colour, in sorted order; where they run out, they begin again."""
    return {name: colors[i % len(colors)] for i, name in enumerate(sorted(set(names)))}


def ink_on(color: str) -> str:
    """Return black or white, whichever is read more easily on a colour."""
    red, green, blue = to_rgb(color)
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.45 else "white"


def legend_below(figure: Figure, handles: list, columns: int) -> None:
    """Explain marks in the rows kept free for it below the axes."""
    width = figure.get_figwidth() / MM
    bottom = figure.get_layout_engine().get()["rect"][1]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(MARGIN / width, bottom),
        ncols=columns,
        columnspacing=1.2,
        labelspacing=0.4,  # of the type size: rows as high as lines of text
        borderaxespad=0,
    )


def name_beside(ax: Axes, y: float, name: str, color: str) -> None:
    """Write a name to the right of the axes, at a height in data coordinates."""
    ax.annotate(
        name,
        (1, y),
        xycoords=ax.get_yaxis_transform(),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        color=color,
        weight="bold",
    )
