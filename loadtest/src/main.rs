//! `loadtest`: exit code 0 when all checks passed, 1 when a promise was broken or a budget was missed, 2 for wrong
//! usage or no server.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use loadtest::args::LoadtestArgs;
use loadtest::report::LoadtestReport;

fn main() -> ExitCode {
    token_crypto::install();
    let args = LoadtestArgs::parse();
    if let Err(error) = args.validate() {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let report = match loadtest::run(&args) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    match write_report(&args, &report) {
        Ok(()) => ExitCode::from(report.exit_code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn write_report(args: &LoadtestArgs, report: &LoadtestReport) -> anyhow::Result<()> {
    let json_on_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(report)?;
        if json_on_stdout {
            writeln!(std::io::stdout(), "{json}")?;
        } else {
            std::fs::write(path, json).with_context(|| format!("--json {}", path.display()))?;
        }
    }
    if let Some(path) = &args.html {
        std::fs::write(path, loadtest::html::page(report)?).with_context(|| format!("--html {}", path.display()))?;
    }
    if json_on_stdout {
        write!(std::io::stderr(), "{report}")?;
    } else {
        write!(std::io::stdout(), "{report}")?;
    }
    Ok(())
}
