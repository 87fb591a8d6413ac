# Which units, and which pairs of them, speak for which syllable: SHAP values of boosted trees.


# The bird, shifted surrogates and independent copies of it, each explained by models of its own. A
# surrogate bird is seen beside the other shifted surrogates of the bird it was made of.
rule shap_values:
    input:
        unpack(curve_inputs),
        null=explained_null,
    output:
        figure=report(
            "results/shap/{bird}.png",
            caption="../workflow/report/shap_values.rst",
            category="{bird}",
            labels={"figure": "22 units and syllables (SHAP)"},
        ),
        pdf="results/shap/{bird}.pdf",
        values="results/shap/{bird}.h5",
        table="results/shap/{bird}.csv",
        cells="results/shap/{bird}_cells.csv",
        pairs="results/shap/{bird}_pairs.csv",
    log:
        "logs/shap_values/{bird}.log",
    benchmark:
        "results/benchmarks/shap_values/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        protocol=protocol(
            "shap_values", config["explanations"]["shifted"], explained=True
        ),
        independent_seeds=independent_seeds,
        itself=own_shift,
        windows=config["windows"],
        code=code("shap_values"),
    script:
        "../workflow/scripts/shap_values.py"


# Pictures of pairs and hubs; what they show was computed above.
rule shap_interactions:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        values="results/shap/{bird}.h5",
        table="results/shap/{bird}.csv",
        pairs="results/shap/{bird}_pairs.csv",
    output:
        interactions=report(
            "results/shap_interactions/{bird}.png",
            caption="../workflow/report/shap_interactions.rst",
            category="{bird}",
            labels={"figure": "26 pairs of units (SHAP interactions)"},
        ),
        hubs=report(
            "results/hubs/{bird}.png",
            caption="../workflow/report/hubs.rst",
            category="{bird}",
            labels={"figure": "27 hubs"},
        ),
        correlations=report(
            "results/unit_correlations/{bird}.png",
            caption="../workflow/report/unit_correlations.rst",
            category="{bird}",
            labels={"figure": "28 unit correlations"},
        ),
        pdfs=expand(
            "results/{figure}/{{bird}}.pdf",
            figure=["shap_interactions", "hubs", "unit_correlations"],
        ),
        table="results/unit_correlations/{bird}.csv",
    log:
        "logs/shap_interactions/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("shap_values", explained=True),
        code=code("shap_interactions"),
    script:
        "../workflow/scripts/shap_interactions.py"


# Pictures of single syllables.
rule shap_syllables:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        values="results/shap/{bird}.h5",
        table="results/shap/{bird}.csv",
        cells="results/shap/{bird}_cells.csv",
    output:
        syllables=report(
            "results/shap_syllables/{bird}.png",
            caption="../workflow/report/shap_syllables.rst",
            category="{bird}",
            labels={"figure": "23 each syllable's units (SHAP)"},
        ),
        beeswarms=report(
            "results/shap_beeswarms/{bird}.png",
            caption="../workflow/report/shap_beeswarms.rst",
            category="{bird}",
            labels={"figure": "24 each syllable's trials (SHAP)"},
        ),
        pdfs=expand(
            "results/{figure}/{{bird}}.pdf",
            figure=["shap_syllables", "shap_beeswarms"],
        ),
    log:
        "logs/shap_syllables/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("shap_values", explained=True),
        code=code("shap_syllables"),
    script:
        "../workflow/scripts/shap_syllables.py"


rule shap_time:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/shap_time/{bird}.png",
            caption="../workflow/report/shap_time.rst",
            category="{bird}",
            labels={"figure": "25 units and time (SHAP)"},
        ),
        pdf="results/shap_time/{bird}.pdf",
        table="results/shap_time/{bird}.csv",
        times="results/shap_time/{bird}_times.csv",
    log:
        "logs/shap_time/{bird}.log",
    benchmark:
        "results/benchmarks/shap_time/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        protocol=protocol("shap_time", config["explanations"]["shifted"]),
        windows=config["windows"],
        code=code("shap_time"),
    script:
        "../workflow/scripts/shap_time.py"


# SHAP values beside explainers that ask another question.
rule explainers:
    input:
        unpack(curve_inputs),
        table="results/shap/{bird}.csv",
    output:
        figure=report(
            "results/explainers/{bird}.png",
            caption="../workflow/report/explainers.rst",
            category="{bird}",
            labels={"figure": "29 explainers"},
        ),
        pdf="results/explainers/{bird}.pdf",
        table="results/explainers/{bird}.csv",
    log:
        "logs/explainers/{bird}.log",
    benchmark:
        "results/benchmarks/explainers/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        protocol=protocol(
            "shap_values", config["explanations"]["shifted"], explained=True
        ),
        windows=config["windows"],
        code=code("explainers"),
    script:
        "../workflow/scripts/explainers.py"


# Simulated birds like this one with planted pairs: are they found? Simulates and explains dozens of birds.
rule shap_truth:
    input:
        simulated_bird,
    output:
        figure=report(
            "results/shap_truth/{bird}.png",
            caption="../workflow/report/shap_truth.rst",
            category="{bird}",
            labels={"figure": "30 are planted pairs found?"},
        ),
        pdf="results/shap_truth/{bird}.pdf",
        table="results/shap_truth/{bird}.csv",
    log:
        "logs/shap_truth/{bird}.log",
    benchmark:
        "results/benchmarks/shap_truth/{bird}.tsv"
    # The longest jobs first, so that no core waits for them at the end.
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        settings=lambda wildcards: config["simulated"][wildcards.bird],
        grid=config["recovery"],
        protocol=protocol("shap_truth", explained=True),
        windows=config["windows"],
        code=code("shap_truth"),
    script:
        "../workflow/scripts/shap_truth.py"
