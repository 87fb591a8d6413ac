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


def others_embedded(bird):
    """The other birds of `across`, with whose embeddings a bird's are compared."""
    parent = named(bird).parent
    return [other for other in config["across"]["birds"] if other != parent]


def compared_birds(wildcards):
    return [wildcards.bird, *others_embedded(wildcards.bird)]


def embedding_figures(bird):
    """Their consistency, where no bird has to be embedded for that alone."""
    others = others_embedded(bird)
    embedded = [name for name in config["birds"] if "embedding" in figures_under(name)]
    if not set(others) <= set(embedded):
        return []
    return [f"results/embedding_consistency/{bird}.png"]
