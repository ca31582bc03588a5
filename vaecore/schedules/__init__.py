"""What changes while a model learns, as functions of the step: beta, the learning rate, the cost of the KL, turns."""
