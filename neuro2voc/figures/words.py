"""Words on figures that come from data and may be of any length."""

LONGEST = 12  # characters of a label on an axis


def shortened(label: str, longest: int = LONGEST) -> str:
    """Return a label, cut in the middle where it is too long for an axis.

    The end stays, since names that begin alike mostly differ there.
    """
    if len(label) <= longest:
        return label
    head = (longest - 1) // 2
    return f"{label[:head]}…{label[len(label) - (longest - 1 - head) :]}"
