"""Collections as other frameworks want them: one module a framework, each needs its extra."""
