"""The store on a server that several machines share: PostgreSQL, over a pool of connections in each process."""
