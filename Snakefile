from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/recordings.smk"
include: "rules/trials.smk"
include: "rules/decoding.smk"
include: "rules/figures.smk"


# Every figure of every bird in `birds`.
rule all:
    default_target: True
    input:
        all_figures(),
