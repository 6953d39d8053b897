"""What the jobs of agents ask of their node: blackboard, mail, work handed on, and the money for it."""
