//! Runs the server until it is stopped, for scripts: `fake-stripe [--any-version]`. It prints its address.

use std::process::ExitCode;

use fake_stripe::{FakeStripe, Options};

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options { rate_per_endpoint: 1_000, ..Options::default() };
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            // The official command line sends no version.
            "--any-version" => options.requires_version = false,
            other => {
                eprintln!("fake-stripe: unknown argument {other}");
                return ExitCode::from(2);
            }
        }
    }
    let fake = match FakeStripe::start(options).await {
        Ok(fake) => fake,
        Err(error) => {
            eprintln!("fake-stripe: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", fake.base());
    std::future::pending::<ExitCode>().await
}
