# How long a stretch of activity networks on tokens need: the same windows for all models.


rule contexts:
    input:
        unpack(context_inputs),
    output:
        figure=report(
            "results/contexts/{bird}.png",
            caption="../workflow/report/contexts.rst",
            category="{bird}",
            labels={"figure": "36 context length"},
        ),
        pdf="results/contexts/{bird}.pdf",
        table="results/contexts/{bird}.csv",
    log:
        "logs/contexts/{bird}.log",
    benchmark:
        "results/benchmarks/contexts/{bird}.tsv"
    # The longest jobs first, so that no core waits for them at the end.
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        protocol=protocol("contexts"),
        lengths=config["contexts"]["lengths"],
        networks=context_networks,
        tokens=config["tokens"],
        reading=config["sequences"],
        inner_folds=config["inner_folds"],
        checkpoints="checkpoints/contexts/{bird}",
        seed=seed_for("contexts"),
        code=code("contexts"),
    script:
        "../workflow/scripts/contexts.py"
