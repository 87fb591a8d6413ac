import logging
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from neuro2voc.errors import DataError
from neuro2voc.jobs import job

ROOT = Path(__file__).parents[1]


def test_progress_goes_to_the_log_and_to_stderr(tmp_path, capsys):
    path = tmp_path / "logs/rule/bird1.log"
    with job(path) as log:
        log.info("134 trials")
        logging.getLogger("neuro2voc.trials").warning("2 left out")
        logging.getLogger("neuro2voc.trials").debug("not for users")
        logging.getLogger("elsewhere").info("a library's own business")
        warnings.warn("beware", stacklevel=1)
    lines = path.read_text().splitlines()
    assert lines[:3] == ["INFO 134 trials", "WARNING 2 left out", "INFO a library's own business"]
    assert "UserWarning: beware" in lines[3]
    assert lines[-1] == "INFO done"
    assert capsys.readouterr().err == "INFO 134 trials\nWARNING 2 left out\n"


def test_an_old_log_is_replaced_and_logging_left_as_it_was(tmp_path):
    path = tmp_path / "job.log"
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    for _ in range(2):
        with job(path):
            pass
    assert path.read_text() == "INFO done\n"
    assert (root.level, root.handlers) == before


def test_a_data_error_ends_in_its_sentence_alone(tmp_path, capsys):
    path = tmp_path / "job.log"
    with pytest.raises(SystemExit) as caught, job(path):
        raise DataError("bird1.nwb: there are no syllables; annotate some.")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "bird1.nwb: there are no syllables; annotate some.\n"
    assert path.read_text() == "ERROR bird1.nwb: there are no syllables; annotate some.\n"


def test_any_other_error_ends_in_a_sentence_and_the_log_has_its_traceback(tmp_path, capsys):
    path = tmp_path / "job.log"
    with pytest.raises(SystemExit) as caught, job(path):
        raise KeyError("first line\nsecond line")
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("unexpected KeyError: ")
    assert error.endswith(f"; the log has the details: {path}\n")
    assert len(error.splitlines()) == 1
    assert "Traceback (most recent call last)" in path.read_text()
    assert "done" not in path.read_text()


def test_an_interruption_ends_in_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, job(tmp_path / "job.log"):
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted;")


def test_a_script_ends_without_a_traceback(tmp_path):
    code = "from neuro2voc.jobs import job\nwith job('job.log'):\n    1 / 0\n"
    script = tmp_path / "script.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}")
    run = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == (
        "unexpected ZeroDivisionError: division by zero; the log has the details: job.log\n"
    )


def test_a_cancelled_job_leaves_nothing_half_written(tmp_path):
    code = """
import sys, time
from neuro2voc.files import replacing
from neuro2voc.jobs import job
with job(sys.argv[1] + "/job.log"), replacing(sys.argv[1] + "/out.csv") as path:
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "writing\n"
    run.terminate()
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert errors == "interrupted; run the same command again to go on\n"
    assert [path.name for path in tmp_path.iterdir()] == ["job.log"]
