"""`monitor serve --cluster`: the calls of one server, scored by shards in other processes and on other machines."""
