"""Views: what people and doors are shown of the swarm, as frozen rows made of frozen data. Pure."""
