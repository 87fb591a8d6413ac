# Renditions warped in time, and what activity and sound of the same renditions have in common.


# How alike held-out renditions are to their template, as they are and warped.
rule warping:
    input:
        unpack(sound_inputs),
    output:
        figure=report(
            "results/warping/{bird}.png",
            caption="../workflow/report/warping.rst",
            category="{bird}",
            labels={"figure": "40 time warping"},
        ),
        pdf="results/warping/{bird}.pdf",
        table="results/warping/{bird}.csv",
    log:
        "logs/warping/{bird}.log",
    benchmark:
        "results/benchmarks/warping/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
    params:
        protocol=protocol("warping"),
        warping=config["warping"],
        code=code("warping"),
    script:
        "../workflow/scripts/warping.py"


# What activity and sound have in common, beside permuted renditions and shifted activity.
rule canonical:
    input:
        unpack(sound_inputs),
    output:
        figure=report(
            "results/canonical/{bird}.png",
            caption="../workflow/report/canonical.rst",
            category="{bird}",
            labels={"figure": "41 canonical correlation"},
        ),
        pdf="results/canonical/{bird}.pdf",
        table="results/canonical/{bird}.csv",
    log:
        "logs/canonical/{bird}.log",
    benchmark:
        "results/benchmarks/canonical/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
    params:
        protocol=protocol("canonical"),
        warping=config["warping"],
        canonical=config["canonical"],
        code=code("canonical"),
    script:
        "../workflow/scripts/canonical.py"
