"""Memory that is kept for the next array."""

import ctypes

# Of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1  # bytes; the most that mallopt can be told


def keep_memory() -> bool:
    """Let this process keep freed memory for its next arrays.

    glibc returns arrays above 32 MB to the kernel as soon as they are freed, and every page of the
    next one is a page fault again. In training, where each step needs the same arrays as the last,
    that can cost more than the arithmetic. Arrays made before the call, and those above 2 GB, are
    returned as ever.

    Returns
    -------
    bool
        Whether it was done; False where the C library is another one, and nothing has changed.
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  other libraries' mallopt means something else
        set_option = library.mallopt
    except (AttributeError, OSError, TypeError):
        return False
    options = (_TRIM_THRESHOLD, _MMAP_THRESHOLD)
    return all([set_option(option, _LARGEST) == 1 for option in options])
