# Activity as a stream of codes, and back.


rule codec:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/codec/{bird}.png",
            caption="../workflow/report/codec.rst",
            category="{bird}",
            labels={"figure": "49 neural codec"},
        ),
        pdf="results/codec/{bird}.pdf",
        table="results/codec/{bird}.csv",
        units="results/codec/{bird}_units.csv",
        codebooks="results/codec/{bird}_codebooks.csv",
        model=f"results/models/{{bird}}/{config['curves']['split']}/codec.safetensors",
        about=f"results/models/{{bird}}/{config['curves']['split']}/codec.json",
        losses=f"results/losses/{{bird}}/{config['curves']['split']}/codec.csv",
    log:
        "logs/codec/{bird}.log",
    benchmark:
        "results/benchmarks/codec/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        codec={k: v for k, v in config["codec"].items() if k != "training"},
        training={**config["training"], **config["codec"].get("training", {})},
        windows=config["windows"],
        feature=config["networks"]["features"][0],
        split=config["curves"]["split"],
        inner_folds=config["inner_folds"],
        bootstrap=config["bootstrap"],
        permutations=config["curves"]["replicates"],
        checkpoints="checkpoints/codec/{bird}",
        seed=seed_for("codec"),
        code=code("codec"),
    script:
        "../workflow/scripts/codec.py"
