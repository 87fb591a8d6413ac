# Decoders, what they have to be seen beside, and the comparison. One job for all classical decoders.


rule decode:
    input:
        tensors=tensors_of(config["features"]),
        trials=checked("results/trials/{whole}.csv"),
        split=checked("results/splits/{parent}/{split}.csv"),
    output:
        predictions=expand(
            "results/decoding/{{bird}}/{{split}}/{decoder}/predictions.csv",
            decoder=config["decoders"],
        ),
        metrics=expand(
            "results/decoding/{{bird}}/{{split}}/{decoder}/metrics.json",
            decoder=config["decoders"],
        ),
    log:
        "logs/decode/{bird}/{split}.log",
    benchmark:
        "results/benchmarks/decode/{bird}/{split}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        decoders=config["decoders"],
        features=config["features"],
        inner_folds=config["inner_folds"],
        resamples=config["bootstrap"],
        seed=seed_for("decode"),
        code=code("decode"),
    script:
        "../workflow/scripts/decode.py"


rule baselines:
    input:
        trials=checked("results/trials/{whole}.csv"),
        split=checked("results/splits/{parent}/{split}.csv"),
    output:
        predictions=expand(
            "results/decoding/{{bird}}/{{split}}/{baseline}/predictions.csv",
            baseline=configuration.BASELINES,
        ),
        metrics=expand(
            "results/decoding/{{bird}}/{{split}}/{baseline}/metrics.json",
            baseline=configuration.BASELINES,
        ),
    log:
        "logs/baselines/{bird}/{split}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        resamples=config["bootstrap"],
        seed=seed_for("baselines"),
        code=code("baselines"),
    script:
        "../workflow/scripts/baselines.py"


# The Bayes classifier of the simulator; it is not trained, so it knows no split.
rule oracle:
    input:
        truth=truth_of_bird,
        tensors=tensors_of(configuration.oracle_features(config)),
        trials=checked("results/trials/{whole}.csv"),
    output:
        predictions="results/oracle/{bird}/predictions.csv",
        metrics="results/oracle/{bird}/metrics.json",
    log:
        "logs/oracle/{bird}.log",
    benchmark:
        "results/benchmarks/oracle/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        features=configuration.oracle_features(config),
        resamples=config["bootstrap"],
        seed=seed_for("oracle"),
        code=code("oracle"),
    script:
        "../workflow/scripts/oracle.py"


# All replicates in one job, on the code that makes single surrogate birds, with their seeds.
rule null_band:
    input:
        recording=of_real_bird("results/recordings/{parent}.nwb"),
        inclusion="results/inclusion/{bird}.csv",
        trials=of_real_bird("results/trials/{parent}.csv"),
        split=of_real_bird("results/splits/{parent}/{split}.csv"),
        kept=folds_for_surrogate,
        metrics=expand(
            "results/decoding/{{bird}}/{{split}}/{decoder}/metrics.json",
            decoder=config["decoders"],
        ),
    output:
        null="results/null/{bird}/{split}.csv",
    log:
        "logs/null_band/{bird}/{split}.log",
    benchmark:
        "results/benchmarks/null_band/{bird}/{split}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        kind=config["null_band"]["surrogate"],
        seeds=seeds_of_null,
        features=config["features"],
        windows=config["windows"],
        trials=trial_settings,
        seed=seed_for("null_band"),
        code=code("null_band"),
    script:
        "../workflow/scripts/null_band.py"


rule comparison:
    input:
        metrics=decodings("metrics.json", config["decoders"]),
        networks=networks_of("results/decoding/{bird}/{split}/{decoder}/metrics.json"),
        baselines=decodings("metrics.json", configuration.BASELINES),
        nulls=nulls_of_bird,
        oracle=oracle_of_bird,
        predecessors=predecessors_of_bird,
        trials=checked("results/trials/{whole}.csv"),
        splits=splits_of_bird,
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
    output:
        figure=report(
            "results/comparison/{bird}.png",
            caption="../workflow/report/comparison.rst",
            category="{bird}",
            labels={"figure": "01 comparison"},
        ),
        pdf="results/comparison/{bird}.pdf",
        table="results/comparison/{bird}.csv",
    log:
        "logs/comparison/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        resamples=config["bootstrap"],
        surrogate=config["null_band"]["surrogate"],
        split=config["curves"]["split"],
        # Token schemes have the oracle of the window that they are made from.
        windows={
            name: config["tokens"]["window"] for name in config["sequences"]["schemes"]
        },
        seed=seed_for("comparison"),
        code=code("comparison"),
    script:
        "../workflow/scripts/comparison.py"
