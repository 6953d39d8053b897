"""Reviews by analyzers and a model: it reads the code, ranks and explains; what it says of a place is verified."""
