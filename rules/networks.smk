# Networks, on bins and on tokens: trained on a GPU where there is one.


rule train:
    input:
        tensors=tensors_of(config["networks"]["features"]),
        trials=checked("results/trials/{whole}.csv"),
        split=checked("results/splits/{parent}/{split}.csv"),
    output:
        predictions="results/decoding/{bird}/{split}/{decoder}/predictions.csv",
        metrics="results/decoding/{bird}/{split}/{decoder}/metrics.json",
        model="results/models/{bird}/{split}/{decoder}.safetensors",
        about="results/models/{bird}/{split}/{decoder}.json",
        losses="results/losses/{bird}/{split}/{decoder}.csv",
        grid="results/grid/{bird}/{split}/{decoder}.csv",
    log:
        "logs/train/{bird}/{split}/{decoder}.log",
    benchmark:
        "results/benchmarks/train/{bird}/{split}/{decoder}.tsv"
    wildcard_constraints:
        decoder=only(configuration.NETWORKS),
    # The longest jobs first, so that no core waits for them at the end.
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        features=config["networks"]["features"],
        windows=config["windows"],
        grid=config["grid"],
        sizes=sizes_of,
        training=training_of,
        inner_folds=config["inner_folds"],
        resamples=config["bootstrap"],
        # Outside the results: Snakemake removes what a failed job wrote there.
        checkpoints="checkpoints/train/{bird}/{split}/{decoder}",
        seed=seed_for("train"),
        code=code("train"),
    script:
        "../workflow/scripts/train.py"


rule train_sequences:
    input:
        corpora=expand(
            "results/tokens/{{bird}}/{scheme}.h5",
            scheme=config["sequences"]["schemes"],
        ),
        checkpoint=own_checkpoint,
        trials=checked("results/trials/{whole}.csv"),
        split=checked("results/splits/{parent}/{split}.csv"),
    output:
        predictions="results/decoding/{bird}/{split}/{decoder}/predictions.csv",
        metrics="results/decoding/{bird}/{split}/{decoder}/metrics.json",
        model="results/models/{bird}/{split}/{decoder}.safetensors",
        about="results/models/{bird}/{split}/{decoder}.json",
        losses="results/losses/{bird}/{split}/{decoder}.csv",
    log:
        "logs/train_sequences/{bird}/{split}/{decoder}.log",
    benchmark:
        "results/benchmarks/train_sequences/{bird}/{split}/{decoder}.tsv"
    wildcard_constraints:
        decoder=only(configuration.SEQUENCES),
    # The longest jobs first, so that no core waits for them at the end.
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        reading=config["sequences"],
        sizes=sizes_of,
        training=training_of,
        inner_folds=config["inner_folds"],
        resamples=config["bootstrap"],
        checkpoints="checkpoints/train_sequences/{bird}/{split}/{decoder}",
        seed=seed_for("train_sequences"),
        code=code("train_sequences"),
    script:
        "../workflow/scripts/train_sequences.py"


# Trained anew on every surrogate, in one job.
rule null_networks:
    input:
        recording=of_real_bird("results/recordings/{parent}.nwb"),
        inclusion="results/inclusion/{bird}.csv",
        trials=of_real_bird("results/trials/{parent}.csv"),
        split=of_real_bird("results/splits/{parent}/{split}.csv"),
        kept=folds_for_surrogate,
        checkpoint=own_checkpoint,
        metrics="results/decoding/{bird}/{split}/{decoder}/metrics.json",
    output:
        null="results/null_networks/{bird}/{decoder}/{split}.csv",
    log:
        "logs/null_networks/{bird}/{decoder}/{split}.log",
    benchmark:
        "results/benchmarks/null_networks/{bird}/{decoder}/{split}.tsv"
    wildcard_constraints:
        decoder=only((*configuration.NETWORKS, *configuration.SEQUENCES)),
    # The longest jobs first, so that no core waits for them at the end.
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        kind=config["null_band"]["surrogate"],
        seeds=seeds_of_network_null,
        windows=config["windows"],
        tokens=config["tokens"],
        reading=config["sequences"],
        sizes=sizes_of,
        training=training_of,
        inner_folds=config["inner_folds"],
        checkpoints="checkpoints/null_networks/{bird}/{decoder}/{split}",
        trials=trial_settings,
        seed=seed_for("null_networks"),
        code=code("null_networks"),
    script:
        "../workflow/scripts/null_networks.py"


rule losses:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        losses=some_networks_of("results/losses/{bird}/{split}/{decoder}.csv"),
        metrics=some_networks_of(
            "results/decoding/{bird}/{split}/{decoder}/metrics.json"
        ),
    output:
        figure=report(
            "results/losses/{bird}/{split}.png",
            caption="../workflow/report/losses.rst",
            category="{bird}",
            labels={"figure": "31 networks: training, {split}"},
        ),
        pdf="results/losses/{bird}/{split}.pdf",
        table="results/losses/{bird}/{split}.csv",
    log:
        "logs/losses/{bird}/{split}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        training=trainings_of,
        code=code("losses"),
    script:
        "../workflow/scripts/losses.py"


rule grid:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        grids=some_networks_of(
            "results/grid/{bird}/{split}/{decoder}.csv", configuration.NETWORKS
        ),
        metrics=some_networks_of(
            "results/decoding/{bird}/{split}/{decoder}/metrics.json",
            configuration.NETWORKS,
        ),
        nulls=nulls_of_networks_on_bins,
    output:
        figure=report(
            "results/grid/{bird}/{split}.png",
            caption="../workflow/report/grid.rst",
            category="{bird}",
            labels={"figure": "32 networks: choices of windows, {split}"},
        ),
        pdf="results/grid/{bird}/{split}.pdf",
        table="results/grid/{bird}/{split}.csv",
    log:
        "logs/grid/{bird}/{split}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        surrogate=config["null_band"]["surrogate"],
        code=code("grid"),
    script:
        "../workflow/scripts/grid.py"
