"""A seeded simulation of the swarm: the production decisions against crashes, freezes and false deaths.

Nothing here touches the network, a clock or a file. `world.simulate(seed)` is the way in.
"""
