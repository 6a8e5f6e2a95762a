//! prodpin: arguments in, exit status out.

fn main() {}
