# Learning what comes next before syllables are learnt, and what is gained by it.


rule pretrain:
    input:
        unpack(pretrain_inputs),
    output:
        weights="results/pretrained/{bird}/{decoder}.safetensors",
        about="results/pretrained/{bird}/{decoder}.json",
        losses="results/pretrained/{bird}/{decoder}.csv",
    log:
        "logs/pretrain/{bird}/{decoder}.log",
    benchmark:
        "results/benchmarks/pretrain/{bird}/{decoder}.tsv"
    wildcard_constraints:
        decoder=only(configuration.SEQUENCES),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        epochs=config["pretraining"]["epochs"],
        tokens=config["tokens"],
        windows=config["windows"],
        reading=config["sequences"],
        sizes=sizes_of,
        training=training_of,
        inner_folds=config["inner_folds"],
        checkpoints="checkpoints/pretrain/{bird}/{decoder}",
        seed=seed_for("pretrain"),
        code=code("pretrain"),
    script:
        "../workflow/scripts/pretrain.py"


rule pretraining:
    input:
        unpack(pretraining_inputs),
    output:
        figure=report(
            "results/pretraining/{bird}.png",
            caption="../workflow/report/pretraining.rst",
            category="{bird}",
            labels={"figure": "37 pretraining"},
        ),
        pdf="results/pretraining/{bird}.pdf",
        table="results/pretraining/{bird}.csv",
    log:
        "logs/pretraining/{bird}.log",
    benchmark:
        "results/benchmarks/pretraining/{bird}.tsv"
    # The longest jobs first, so that no core waits for them at the end.
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        protocol=protocol("pretraining", 1),
        decoder=config["pretraining"]["decoder"],
        parts=config["pretraining"]["parts"],
        epochs=config["pretraining"]["epochs"],
        tokens=config["tokens"],
        windows=config["windows"],
        reading=config["sequences"],
        sizes=of_pretrained(sizes_of),
        training=of_pretrained(training_of),
        inner_folds=config["inner_folds"],
        checkpoints="checkpoints/pretraining/{bird}",
        seed=seed_for("pretraining"),
        code=code("pretraining"),
    script:
        "../workflow/scripts/pretraining.py"
