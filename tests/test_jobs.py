import logging
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from neuro2voc.errors import DataError
from neuro2voc.jobs import job

ROOT = Path(__file__).parents[1]


HEAD = """
import sys
from types import SimpleNamespace
from neuro2voc.jobs import job
work = SimpleNamespace(rule="rule", input=[], params={}, log=["job.log"])
"""


def work(log, output="out.csv", **given):
    """What a script has to do, as Snakemake would hand it over; its output is there already."""
    output = Path(log).parent / output
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("a\n")
    fields = {"rule": "rule", "input": [], "output": [str(output)], "params": {}} | given
    return SimpleNamespace(log=[str(log)], **fields)


def test_progress_goes_to_the_log_and_to_stderr(tmp_path, capsys):
    path = tmp_path / "logs/rule/bird1.log"
    with job(work(path)) as log:
        log.info("134 trials")
        logging.getLogger("neuro2voc.trials").warning("2 left out")
        logging.getLogger("neuro2voc.trials").debug("not for users")
        logging.getLogger("elsewhere").info("a library's own business")
        logging.getLogger("fontTools.subset").info("glyf pruned")
        warnings.warn("beware", stacklevel=1)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["INFO 134 trials", "WARNING 2 left out"]
    assert lines[2] == "INFO a library's own business"
    assert "UserWarning: beware" in lines[3]
    assert lines[-1] == "INFO done"
    assert capsys.readouterr().err == "INFO 134 trials\nWARNING 2 left out\n"


def test_an_old_log_is_replaced_and_logging_left_as_it_was(tmp_path):
    path = tmp_path / "job.log"
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    for _ in range(2):
        with job(work(path)):
            pass
    assert path.read_text() == "INFO done\n"
    assert (root.level, root.handlers) == before


def test_a_data_error_ends_in_its_sentence_alone(tmp_path, capsys):
    path = tmp_path / "job.log"
    with pytest.raises(SystemExit) as caught, job(work(path)):
        raise DataError("bird1.nwb: there are no syllables; annotate some.")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "bird1.nwb: there are no syllables; annotate some.\n"
    assert path.read_text() == "ERROR bird1.nwb: there are no syllables; annotate some.\n"


def test_any_other_error_ends_in_a_sentence_and_the_log_has_its_traceback(tmp_path, capsys):
    path = tmp_path / "job.log"
    with pytest.raises(SystemExit) as caught, job(work(path)):
        raise KeyError("first line\nsecond line")
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("unexpected KeyError: ")
    assert error.endswith(f"; the log has the details: {path}\n")
    assert len(error.splitlines()) == 1
    assert "Traceback (most recent call last)" in path.read_text()
    assert "done" not in path.read_text()


def test_an_interruption_ends_in_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, job(work(tmp_path / "job.log")):
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted;")


def test_a_script_ends_without_a_traceback(tmp_path):
    code = f"{HEAD}work.output = ['out.csv']\nwith job(work):\n    1 / 0\n"
    script = tmp_path / "script.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}")
    run = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == (
        "unexpected ZeroDivisionError: division by zero; the log has the details: job.log\n"
    )


def test_a_cancelled_job_leaves_nothing_half_written(tmp_path):
    code = """
import os, time
from neuro2voc.files import replacing
os.chdir(sys.argv[1])
work.output = ["out.csv"]
with job(work), replacing("out.csv") as path:
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""
    run = subprocess.Popen(
        [sys.executable, "-c", HEAD + code, str(tmp_path)],
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


def test_a_missing_input_ends_in_a_sentence(tmp_path, capsys):
    given = work(tmp_path / "job.log", input=[str(tmp_path / "no.csv")])
    with pytest.raises(SystemExit) as end, job(given):
        raise AssertionError("never gets here")
    assert end.value.code == 1
    assert "no.csv" in capsys.readouterr().err


def test_an_output_that_was_not_written_ends_in_a_sentence(tmp_path, capsys):
    given = work(tmp_path / "job.log")
    with pytest.raises(SystemExit) as end, job(given):
        Path(given.output[0]).unlink()
    assert end.value.code == 1
    assert "out.csv" in capsys.readouterr().err
    assert "done" not in (tmp_path / "job.log").read_text()
