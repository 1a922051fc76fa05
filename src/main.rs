//! The command `postwatch`; all of it is in the library.

use std::process::ExitCode;

// What one thread reads another stores and frees, of which the C library's allocator keeps as much
// again as is in use; `docs/performance.md` has the figures. Its settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    postwatch::cli::run(std::env::args_os()).into()
}
