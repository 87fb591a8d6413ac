# How long a stretch of activity networks on tokens need: the same windows for all models.


def context_inputs(wildcards):
    """What curves are made from, and the truth where the bird has an oracle."""
    has_oracle = oracle_of_bird(wildcards)
    return {
        **curve_inputs(wildcards),
        "truth": truth_of_bird(wildcards) if has_oracle else [],
    }


def context_networks(wildcards):
    """Sizes and training of those of the bird's networks that are drawn, by name."""
    own = setting(wildcards.bird, "networks")["decoders"]
    return {
        name: {
            "sizes": {k: v for k, v in config[name].items() if k != "training"},
            # One network per fold: there are many lengths.
            "training": {
                **config["training"],
                **config[name].get("training", {}),
                "members": 1,
            },
        }
        for name in config["contexts"]["decoders"]
        if name in own
    }


rule contexts:
    input:
        unpack(context_inputs),
    output:
        figure=report(
            "results/contexts/{bird}.png",
            caption="../workflow/report/contexts.rst",
            category="{bird}",
            labels={"figure": "20 context length"},
        ),
        pdf="results/contexts/{bird}.pdf",
        table="results/contexts/{bird}.csv",
    log:
        "logs/contexts/{bird}.log",
    benchmark:
        "results/benchmarks/contexts/{bird}.tsv"
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
