# Spikes as tokens: corpora of every scheme, what they cost, and which patterns they hold.


# One job for all schemes: each takes less time than a job takes to start.
rule tokens:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        corpora=expand(
            "results/tokens/{{bird}}/{scheme}.h5",
            scheme=config["tokens"]["schemes"],
        ),
    log:
        "logs/tokens/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        tokens=config["tokens"],
        windows=config["windows"],
        code=code("tokens"),
    script:
        "../workflow/scripts/tokens.py"


rule token_schemes:
    input:
        unpack(curve_inputs),
        corpora=expand(
            "results/tokens/{{bird}}/{scheme}.h5",
            scheme=config["tokens"]["schemes"],
        ),
    output:
        figure=report(
            "results/token_schemes/{bird}.png",
            caption="../workflow/report/token_schemes.rst",
            category="{bird}",
            labels={"figure": "34 tokens per second"},
        ),
        pdf="results/token_schemes/{bird}.pdf",
        table="results/token_schemes/{bird}.csv",
    log:
        "logs/token_schemes/{bird}.log",
    benchmark:
        "results/benchmarks/token_schemes/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        split=config["curves"]["split"],
        vocabulary=config["tokens"]["vocabulary"],
        code=code("token_schemes"),
    script:
        "../workflow/scripts/token_schemes.py"


rule token_patterns:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/token_patterns/{bird}.png",
            caption="../workflow/report/token_patterns.rst",
            category="{bird}",
            labels={"figure": "35 patterns of units"},
        ),
        pdf="results/token_patterns/{bird}.pdf",
        table="results/token_patterns/{bird}.csv",
    log:
        "logs/token_patterns/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        tokens=config["tokens"],
        windows=config["windows"],
        code=code("token_patterns"),
    script:
        "../workflow/scripts/token_patterns.py"
