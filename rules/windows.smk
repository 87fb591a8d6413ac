# When neurons say what: windows that grow, move and lead or lag; and one trial, seen and heard.


rule growing_windows:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/growing_windows/{bird}.png",
            caption="../workflow/report/growing_windows.rst",
            category="{bird}",
            labels={"figure": "09 growing windows"},
        ),
        pdf="results/growing_windows/{bird}.pdf",
        table="results/growing_windows/{bird}.csv",
    log:
        "logs/growing_windows/{bird}.log",
    benchmark:
        "results/benchmarks/growing_windows/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("growing_windows"),
        growing=config["growing"],
        code=code("growing_windows"),
    script:
        "../workflow/scripts/growing_windows.py"


rule moving_windows:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/moving_windows/{bird}.png",
            caption="../workflow/report/moving_windows.rst",
            category="{bird}",
            labels={"figure": "10 moving windows"},
        ),
        pdf="results/moving_windows/{bird}.pdf",
        table="results/moving_windows/{bird}.csv",
        units="results/moving_windows/{bird}_units.csv",
    log:
        "logs/moving_windows/{bird}.log",
    benchmark:
        "results/benchmarks/moving_windows/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        protocol=protocol("moving_windows"),
        windows=config["windows"],
        code=code("moving_windows"),
    script:
        "../workflow/scripts/moving_windows.py"


rule lag:
    input:
        unpack(curve_inputs),
    output:
        figure=report(
            "results/lag/{bird}.png",
            caption="../workflow/report/lag.rst",
            category="{bird}",
            labels={"figure": "11 lag"},
        ),
        pdf="results/lag/{bird}.pdf",
        table="results/lag/{bird}.csv",
        verdict="results/lag/{bird}.json",
    log:
        "logs/lag/{bird}.log",
    benchmark:
        "results/benchmarks/lag/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        protocol=protocol("lag"),
        lag=config["lag"],
        code=code("lag"),
    script:
        "../workflow/scripts/lag.py"


rule trial:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/trial/{bird}.png",
            caption="../workflow/report/trial.rst",
            category="{bird}",
            labels={"figure": "06 trial"},
        ),
        pdf="results/trial/{bird}.pdf",
        table="results/trial/{bird}.csv",
    log:
        "logs/trial/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        windows=config["windows"],
        code=code("trial"),
    script:
        "../workflow/scripts/trial.py"


rule spectrograms:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        trials=checked("results/trials/{whole}.csv"),
    output:
        figure=report(
            "results/spectrograms/{bird}.png",
            caption="../workflow/report/spectrograms.rst",
            category="{bird}",
            labels={"figure": "04 spectrograms"},
        ),
        pdf="results/spectrograms/{bird}.pdf",
        table="results/spectrograms/{bird}.csv",
    log:
        "logs/spectrograms/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("spectrograms"),
    script:
        "../workflow/scripts/spectrograms.py"
