from neuro2voc.files import replacing
from neuro2voc.jobs import job
from neuro2voc.whence import whence

with job(snakemake) as log:
    answer = whence(snakemake.input.figure)
    with replacing(snakemake.output.answer) as path:
        path.write_text(answer, encoding="utf-8")
    for line in answer.splitlines():
        log.info("%s", line)
