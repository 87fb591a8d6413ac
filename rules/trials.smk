# Trials, folds in time, and spike counts.


rule trials:
    input:
        recording=without_selection("results/recordings/{bird}.nwb"),
    output:
        trials="results/trials/{bird}.csv",
    log:
        "logs/trials/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        settings=trial_settings,
        code=code("trials"),
    script:
        "../workflow/scripts/trials.py"


# A surrogate is held out as its parent is, so only real birds have splits.
rule split:
    input:
        recording=of_parent("results/recordings/{bird}.nwb", "splits"),
        trials="results/trials/{bird}.csv",
    output:
        split="results/splits/{bird}/{split}.csv",
    log:
        "logs/split/{bird}/{split}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        folds=config["folds"],
        guard=config["guard"],
        seed=seed_for("split"),
        code=code("split"),
    script:
        "../workflow/scripts/split.py"


# Which units count, and why the others do not. A surrogate has its parent's.
rule inclusion:
    input:
        recording=of_real_bird("results/recordings/{parent}.nwb"),
    output:
        table="results/inclusion/{bird}.csv",
    log:
        "logs/inclusion/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        rules=of_bird("inclusion"),
        code=code("inclusion"),
    script:
        "../workflow/scripts/inclusion.py"


# One job for all windows: each takes less time than a job takes to start.
rule tensors:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        tensors=expand(
            "results/tensors/{{bird}}/{window}.h5",
            window=[configuration.SYLLABLE, *config["windows"]],
        ),
    log:
        "logs/tensors/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        windows=config["windows"],
        code=code("tensors"),
    script:
        "../workflow/scripts/tensors.py"
