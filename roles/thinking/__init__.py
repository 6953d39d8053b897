"""What a coordinator asks a model: plans, changes of them, reports. Each answer is journaled before it is used."""
