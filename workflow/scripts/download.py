from neuro2voc.jobs import job
from neuro2voc.sources.public import fetch

with job(snakemake) as log:
    about, source = snakemake.params.about, snakemake.params.source
    log.info("licence %s; cite: %s", about["licence"], about["citation"])
    fetch(
        source["url"],
        source["sha256"],
        source["bytes"],
        snakemake.output.file,
        snakemake.params.mirror or None,
    )
