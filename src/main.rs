//! The binary `livesouk`. Everything is in the library, so that it is compiled once: an async function is compiled in the crate that
//! runs it, which would be this one.

fn main() -> std::process::ExitCode {
    token_crypto::install();
    livesouk::commands::run()
}
