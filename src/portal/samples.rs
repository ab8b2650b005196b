//! Pages with sample data: proven readable, and written out to be looked at.
