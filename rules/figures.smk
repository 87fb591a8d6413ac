# First pictures of a bird. Each is named after what it shows.


rule units:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
    output:
        figure=report(
            "results/units/{bird}.png",
            caption="../workflow/report/units.rst",
            category="{bird}",
            labels={"figure": "02 units"},
        ),
        pdf="results/units/{bird}.pdf",
        table="results/units/{bird}.csv",
    log:
        "logs/units/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("units"),
    script:
        "../workflow/scripts/units.py"


rule syllables:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/syllables/{bird}.png",
            caption="../workflow/report/syllables.rst",
            category="{bird}",
            labels={"figure": "03 syllables"},
        ),
        pdf="results/syllables/{bird}.pdf",
        table="results/syllables/{bird}.csv",
    log:
        "logs/syllables/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("syllables"),
    script:
        "../workflow/scripts/syllables.py"


rule bout:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/bout/{bird}.png",
            caption="../workflow/report/bout.rst",
            category="{bird}",
            labels={"figure": "05 bout"},
        ),
        pdf="results/bout/{bird}.pdf",
        table="results/bout/{bird}.csv",
    log:
        "logs/bout/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("bout"),
    script:
        "../workflow/scripts/bout.py"


rule confusion:
    input:
        predictions=checked("results/decoding/{bird}/{split}/{decoder}/predictions.csv"),
        metrics="results/decoding/{bird}/{split}/{decoder}/metrics.json",
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
    output:
        figure=report(
            "results/confusion/{bird}/{split}/{decoder}/{feature}.png",
            caption="../workflow/report/confusion.rst",
            category="{bird}",
            labels={"figure": "07 confusion: {decoder} on {feature}, {split}"},
        ),
        pdf="results/confusion/{bird}/{split}/{decoder}/{feature}.pdf",
        table="results/confusion/{bird}/{split}/{decoder}/{feature}.csv",
    log:
        "logs/confusion/{bird}/{split}/{decoder}/{feature}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("confusion"),
    script:
        "../workflow/scripts/confusion.py"
