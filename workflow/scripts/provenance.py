from neuro2voc.crate import run_crate
from neuro2voc.files import write_json
from neuro2voc.jobs import job
from neuro2voc.origin import commit_date
from neuro2voc.run_record import read_records, run_record, warnings_of

with job(snakemake) as log:
    record = run_record(snakemake.input.figures, read_records())
    for sentence in warnings_of(record):
        log.warning("%s", sentence)
    write_json(record, snakemake.output.record)
    write_json(run_crate(record, commit_date()), snakemake.output.crate)
    log.info("%d files from %d jobs", len(record["files"]), len(record["jobs"]))
