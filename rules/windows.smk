# When neurons say what: windows that grow, move and lead or lag.
