# What made the results, and what made a picture that somebody holds in hand.


# The history of every figure of `all`, back to the recordings, from the records that jobs leave.
rule provenance:
    input:
        figures=all_figures(),
    output:
        record="results/provenance.json",
        crate="results/ro-crate-metadata.json",
    log:
        "logs/provenance.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("provenance"),
    script:
        "../workflow/scripts/provenance.py"


# Asked with --config figure=/path/to/picture.png, and answered anew each time, since the results that
# the picture is compared with change.
rule whence:
    input:
        figure=asked_figure,
    output:
        answer="results/whence.txt",
    log:
        "logs/whence.log",
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
    params:
        asked=lambda wildcards: time.time_ns(),
        code=code("whence"),
    script:
        "../workflow/scripts/whence.py"
