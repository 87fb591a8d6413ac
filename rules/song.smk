# What sessions, neighbours, trials and sounds have to do with it.


rule predecessors:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/predecessors/{bird}.png",
            caption="../workflow/report/predecessors.rst",
            category="{bird}",
            labels={"figure": "12 the same syllable after different ones"},
        ),
        pdf="results/predecessors/{bird}.pdf",
        table="results/predecessors/{bird}.csv",
    log:
        "logs/predecessors/{bird}.log",
    benchmark:
        "results/benchmarks/predecessors/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("predecessors"),
        features=configuration.oracle_features(config),
        windows=config["windows"],
        code=code("predecessors"),
    script:
        "../workflow/scripts/predecessors.py"


rule sessions:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/sessions/{bird}.png",
            caption="../workflow/report/sessions.rst",
            category="{bird}",
            labels={"figure": "13 from session to session"},
        ),
        pdf="results/sessions/{bird}.pdf",
        table="results/sessions/{bird}.csv",
    log:
        "logs/sessions/{bird}.log",
    benchmark:
        "results/benchmarks/sessions/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("sessions"),
        windows=config["windows"],
        code=code("sessions"),
    script:
        "../workflow/scripts/sessions.py"


rule learning_curves:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/learning_curves/{bird}/{feature}.png",
            caption="../workflow/report/learning_curves.rst",
            category="{bird}",
            labels={"figure": "14 learning curves of {feature}"},
        ),
        pdf="results/learning_curves/{bird}/{feature}.pdf",
        table="results/learning_curves/{bird}/{feature}.csv",
    log:
        "logs/learning_curves/{bird}/{feature}.log",
    benchmark:
        "results/benchmarks/learning_curves/{bird}/{feature}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        protocol=protocol("learning_curves"),
        windows=config["windows"],
        learning=config["learning"],
        code=code("learning_curves"),
    script:
        "../workflow/scripts/learning_curves.py"


rule clusters:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/clusters/{bird}/{feature}.png",
            caption="../workflow/report/clusters.rst",
            category="{bird}",
            labels={"figure": "15 clusters of {feature}"},
        ),
        pdf="results/clusters/{bird}/{feature}.pdf",
        table="results/clusters/{bird}/{feature}.csv",
    log:
        "logs/clusters/{bird}/{feature}.log",
    benchmark:
        "results/benchmarks/clusters/{bird}/{feature}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("clusters"),
        windows=config["windows"],
        code=code("clusters"),
    script:
        "../workflow/scripts/clusters.py"
