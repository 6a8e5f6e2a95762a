//! Encoding of hostile text for each place it may reach (I19).
