"""For people's own models: what their gradients are at any point, and what their training does."""
