//! Programs from PyPI that tests use as real servers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python that has what `requirements` lists, the text of `NAME/requirements.txt` in this crate: an environment in the target folder,
/// made at the first use. Several test binaries may want it at once.
pub fn python_with(name: &str, requirements: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |own| root.join(own));
    let home = target.join(name.replace('_', "-"));
    let python = home.join("venv/bin/python");
    std::fs::create_dir_all(&home).expect("the target folder is writable");
    let lock = File::create(home.join("lock")).expect("the target folder is writable");
    lock.lock().expect("the file can be locked");
    let installed = home.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == requirements) {
        return python;
    }
    let run = |command: &mut Command| {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; install python3-venv"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(home.join("venv")));
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("requirements.txt");
    run(Command::new(&python).args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"]).arg(list));
    std::fs::write(installed, requirements).expect("the target folder is writable");
    python
}
