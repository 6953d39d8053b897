"""The name of the join by a model, as plans and templates have it."""

BY_MODEL = "model"
