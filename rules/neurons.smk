# What single units and groups of them say.


rule rates:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/rates/{bird}.png",
            caption="../workflow/report/rates.rst",
            category="{bird}",
            labels={"figure": "16 rates"},
        ),
        pdf="results/rates/{bird}.pdf",
        table="results/rates/{bird}.csv",
    log:
        "logs/rates/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        seed=seed_for("rates"),
        code=code("rates"),
    script:
        "../workflow/scripts/rates.py"


rule densities:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/densities/{bird}.png",
            caption="../workflow/report/densities.rst",
            category="{bird}",
            labels={"figure": "17 densities"},
        ),
        pdf="results/densities/{bird}.pdf",
        table="results/densities/{bird}.csv",
    log:
        "logs/densities/{bird}.log",
    benchmark:
        "results/benchmarks/densities/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        protocol=protocol("densities"),
        code=code("densities"),
    script:
        "../workflow/scripts/densities.py"


rule single_units:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/single_units/{bird}.png",
            caption="../workflow/report/single_units.rst",
            category="{bird}",
            labels={"figure": "18 single units"},
        ),
        pdf="results/single_units/{bird}.pdf",
        table="results/single_units/{bird}.csv",
    log:
        "logs/single_units/{bird}.log",
    benchmark:
        "results/benchmarks/single_units/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("single_units"),
        windows=config["windows"],
        code=code("single_units"),
    script:
        "../workflow/scripts/single_units.py"


# Surrogates are fitted too, so this is a forest a hundred times.


rule importances:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/importances/{bird}/{feature}.png",
            caption="../workflow/report/importances.rst",
            category="{bird}",
            labels={"figure": "19 importances, {feature}"},
        ),
        pdf="results/importances/{bird}/{feature}.pdf",
        table="results/importances/{bird}/{feature}.csv",
    log:
        "logs/importances/{bird}/{feature}.log",
    benchmark:
        "results/benchmarks/importances/{bird}/{feature}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        protocol=protocol("importances"),
        windows=config["windows"],
        code=code("importances"),
    script:
        "../workflow/scripts/importances.py"


rule neuron_number:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/neuron_number/{bird}.png",
            caption="../workflow/report/neuron_number.rst",
            category="{bird}",
            labels={"figure": "20 number of neurons"},
        ),
        pdf="results/neuron_number/{bird}.pdf",
        table="results/neuron_number/{bird}.csv",
    log:
        "logs/neuron_number/{bird}.log",
    benchmark:
        "results/benchmarks/neuron_number/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("neuron_number"),
        windows=config["windows"],
        neurons=config["neurons"],
        code=code("neuron_number"),
    script:
        "../workflow/scripts/neuron_number.py"


rule regions:
    input:
        unpack(curve_inputs),
        single_units="results/single_units/{bird}.csv",
    output:
        figure=report(
            "results/regions/{bird}.png",
            caption="../workflow/report/regions.rst",
            category="{bird}",
            labels={"figure": "21 regions"},
        ),
        pdf="results/regions/{bird}.pdf",
        table="results/regions/{bird}.csv",
    log:
        "logs/regions/{bird}.log",
    benchmark:
        "results/benchmarks/regions/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("regions"),
        windows=config["windows"],
        repeats=config["neurons"]["repeats"],
        code=code("regions"),
    script:
        "../workflow/scripts/regions.py"
