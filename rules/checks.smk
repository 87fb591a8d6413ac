# What has to be ruled out before anything is believed.


rule artefacts:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/artefacts/{bird}.png",
            caption="../workflow/report/artefacts.rst",
            category="{bird}",
            labels={"figure": "08 artefacts"},
        ),
        pdf="results/artefacts/{bird}.pdf",
        table="results/artefacts/{bird}.csv",
    log:
        "logs/artefacts/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        seed=seed_for("artefacts"),
        code=code("artefacts"),
    script:
        "../workflow/scripts/artefacts.py"
