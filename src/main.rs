//! The binary `livesouk`. Everything is in the library, so that it is compiled once: an async function is compiled where it
//! is awaited for good, which would be here.

fn main() -> std::process::ExitCode {
    token_crypto::install();
    livesouk::commands::run()
}
