"""What every job of the workflow does around its work: log, record, fail in one sentence."""

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from neuro2voc.errors import DataError
from neuro2voc.origin import recorded


@contextmanager
def job(work: object, threads: int = 1) -> Iterator[logging.Logger]:
    """Run the body of a script with a log and a record, and no traceback as the last word.

    What the library logs from INFO on goes into the file and to stderr; warnings, and what others
    log, into the file only. A `DataError` ends the script with its sentence, any other
    error with one sentence that points to the log, which then holds the traceback; both with exit
    status 1. Beside the first output of a job that ended well lies what made it
    (`neuro2voc.origin`).

    Parameters
    ----------
    work : object
        What a script is to do, as Snakemake hands it over: ``rule, input, output, params,
        wildcards, log``. The log's missing folders are made, an old log is replaced.
    threads : int
        Threads of numerical libraries. It must not depend on the machine, because sums taken in
        another order end in other bytes.

    Yields
    ------
    logging.Logger
        For messages of the script itself.

    Examples
    --------
    >>> with job(snakemake) as log:  # doctest: +SKIP
    ...     log.info("134 trials")
    """
    path = Path(str(work.log[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    root, logger = logging.getLogger(), logging.getLogger("neuro2voc")
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    progress = logging.StreamHandler(sys.stderr)
    progress.addFilter(logging.Filter(logger.name))
    for handler in (file, progress):
        handler.setLevel(logging.INFO)
        # No times: logs of the same job can then be compared.
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        root.addHandler(handler)
    levels = root.level, logger.level
    root.setLevel(logging.INFO)
    # Each PDF would add a hundred lines on its fonts.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A cancelled job leaves by the front door, so that nothing half-written stays behind.
    terminated = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with threadpool_limits(threads), recorded(work):
            yield logger
        root.removeHandler(progress)
        logger.info("done")
    except KeyboardInterrupt:
        root.removeHandler(progress)
        logger.error("interrupted")
        print("interrupted; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    except DataError as error:
        root.removeHandler(progress)
        logger.error("%s", error)
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    except Exception as error:
        root.removeHandler(progress)
        sentence = _sentence_of(error)
        logger.error("%s", sentence)
        logger.info("%s", traceback.format_exc())
        print(f"{sentence}; the log has the details: {path}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        signal.signal(signal.SIGTERM, terminated)
        logging.captureWarnings(False)
        root.setLevel(levels[0])
        logger.setLevel(levels[1])
        root.removeHandler(progress)
        root.removeHandler(file)
        file.close()


def _sentence_of(error: Exception) -> str:
    message = " ".join(str(error).split()) or "no message"
    # HDF5 tells of a full disk in the words of another error.
    if os.strerror(errno.ENOSPC) in message:
        return "no space left on the disk of results/; make room and give the same command again"
    return f"unexpected {type(error).__name__}: {message}"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
