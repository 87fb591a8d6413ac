# What single units and groups of them say.
