from neuro2voc.files import write_csv
from neuro2voc.inclusion import inclusion_table
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake) as log:
    recording = Recording.open(snakemake.input.recording)
    table = inclusion_table(recording, snakemake.params.rules)
    write_csv(table, snakemake.output.table)
    log.info("%d of %d units count", table["included"].sum(), len(table))
