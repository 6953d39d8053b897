"""The nats-server that we start ourselves: one that a user's processes share, and private ones.

binary       where nats-server is, and its version
filesystem   whether a folder can hold a store at all
locks        flock: who holds what, freed by the kernel with its holder
process      is that pid still the process we mean; end it
probe        does a nats-server speak at that port, and under which name
record       what the run directory says about the shared server
rundir       the run directory: record, lease, this machine's nodes
store        the store's version, its secrets, and the server's configuration
launch       starting nats-server as nobody's child
shared       the shared server: joined by anybody, left by the last
private      a server that lives and dies with this process, by way of `tether`
"""
