//! Tells the binary from which commit it was built (`livesouk --version`).
//!
//! The commit comes from LIVESOUK_COMMIT (an image is built without `.git`), else from git, and else it is not known: a source
//! archive and a machine without git build the same. Debug builds never ask git, so that a commit recompiles nothing while
//! somebody works; a release build runs this again only when HEAD has moved.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIVESOUK_COMMIT");
    let given = std::env::var("LIVESOUK_COMMIT").ok().map(|given| given.trim().to_owned());
    let commit = match given.filter(|given| is_plain(given)) {
        Some(given) => given,
        None if std::env::var("PROFILE").as_deref() == Ok("debug") => "debug build".to_owned(),
        None => commit_of_this_folder().unwrap_or_else(|| "unknown commit".to_owned()),
    };
    println!("cargo::rustc-env=LIVESOUK_COMMIT={commit}");
}

fn is_plain(commit: &str) -> bool {
    (1..=64).contains(&commit.len())
        && commit.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The short hash of HEAD, if this folder is the root of a git repository. An archive that was unpacked inside another
/// repository has no commit.
fn commit_of_this_folder() -> Option<String> {
    let here = Path::new(".").canonicalize().ok()?;
    if PathBuf::from(git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()? != here {
        return None;
    }
    // The log of HEAD grows with each commit and each change of branch. cargo would run this script at every build if the
    // file did not exist.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    let head = git(&["rev-parse", "--git-path", "HEAD"])?;
    for file in [log, head].iter().filter(|file| Path::new(file).exists()) {
        println!("cargo::rerun-if-changed={file}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]).filter(|commit| is_plain(commit))
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
