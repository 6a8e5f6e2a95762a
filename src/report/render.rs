//! Formats and the one function that renders any of them.
