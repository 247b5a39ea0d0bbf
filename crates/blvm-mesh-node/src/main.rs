//! The program `blvm-mesh`. Everything is in the library, so that tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    blvm_mesh_node::main()
}
