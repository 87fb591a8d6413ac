"""stub."""

from neuro2voc.figures import style


def draw_attribution(tables, recording, protocol):
    """Stub."""
    return style.new_figure(style.PAGE, 50, f"{recording.name}: stub")
