"""How agents of other frameworks ask the guard: one file a framework, none imported unless used."""
