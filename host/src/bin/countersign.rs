//! The program `countersign`.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_host::plugin::be_worker_if_asked();
    countersign_host::cli::main()
}
