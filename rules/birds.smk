# Birds beside each other, and what can be quoted.
