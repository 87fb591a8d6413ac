# What networks look at: integrated gradients on the trials that they never saw.


rule network_attribution:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
        split=checked("results/splits/{parent}/{split}.csv"),
        tensors=tensors_of(config["networks"]["features"][:1]),
        truth=lambda wildcards: (
            truth_of_bird(wildcards) if oracle_of_bird(wildcards) else []
        ),
        model="results/models/{bird}/{split}/{decoder}.safetensors",
        about="results/models/{bird}/{split}/{decoder}.json",
    output:
        figure=report(
            "results/network_attribution/{bird}/{split}/{decoder}.png",
            caption="../workflow/report/network_attribution.rst",
            category="{bird}",
            labels={"figure": "33 networks: units and time of {decoder}, {split}"},
        ),
        pdf="results/network_attribution/{bird}/{split}/{decoder}.pdf",
        table="results/network_attribution/{bird}/{split}/{decoder}.csv",
        units="results/network_attribution/{bird}/{split}/{decoder}_units.csv",
    log:
        "logs/network_attribution/{bird}/{split}/{decoder}.log",
    benchmark:
        "results/benchmarks/network_attribution/{bird}/{split}/{decoder}.tsv"
    wildcard_constraints:
        decoder=only(configuration.NETWORKS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        feature=config["networks"]["features"][0],
        seed=seed_for("network_attribution"),
        code=code("network_attribution"),
    script:
        "../workflow/scripts/network_attribution.py"
