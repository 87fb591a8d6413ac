# What rules of embeddings are given: functions of wildcards, as in inputs.smk.


def embed_inputs(wildcards):
    """Recording, inclusion, trials, and the split under which whole bouts are held out."""
    check_target(wildcards)
    split = config["embedding"]["split"]
    check(f"split of {wildcards.bird}", split, of_bird("splits")(wildcards))
    names = names_in_paths(wildcards.bird)
    return {
        "recording": f"results/recordings/{names['whole']}.nwb",
        "inclusion": f"results/inclusion/{names['real']}.csv",
        "trials": f"results/trials/{names['whole']}.csv",
        "split": f"results/splits/{names['parent']}/{split}.csv",
    }


def compared_birds(wildcards):
    """The bird itself, then the other birds of `across` with whose embeddings it is compared."""
    parent = named(wildcards.bird).parent
    others = [bird for bird in config["across"]["birds"] if bird != parent]
    return [wildcards.bird, *others]
