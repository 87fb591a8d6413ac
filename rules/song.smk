# What sessions, neighbours, trials and sounds have to do with it.
