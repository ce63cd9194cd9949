//! What the commands print: results on the standard output, complaints on stderr.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use crate::config;
use crate::node::StartError;

/// Prints to stderr. Unlike `eprintln`, this does not panic when nothing can be written there.
pub fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "livesouk: {what}");
}

/// Prints the help or version that was asked for (exit code 0), or an error of usage (exit code 2).
pub fn print_usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match printed {
        // `livesouk --help | head` reads as much as it wants.
        Err(fault) if !error.use_stderr() && fault.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(format_args!("{CANNOT_PRINT}: {fault}"));
            ExitCode::FAILURE
        }
        _ => u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

pub const CANNOT_PRINT: &str = "cannot write to the standard output";

/// Prints the result of a command. Without its result the command has failed.
pub fn print_result(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Prints a long text. A reader that stops early has read enough.
fn print_document(text: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context(CANNOT_PRINT),
        _ => Ok(()),
    }
}

pub fn print_completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut config::command(), "livesouk", &mut text);
    print_document(&text)
}

pub fn print_manual(name: Option<&str>) -> anyhow::Result<()> {
    let mut command = config::command();
    command.build();
    let command = match name {
        Some(name) => command.find_subcommand(name).cloned(),
        None => Some(command),
    };
    let command = command
        .ok_or_else(|| StartError::Config(format!("there is no command `{}`; see --help", name.unwrap_or_default())))?;
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    print_document(&text)
}
