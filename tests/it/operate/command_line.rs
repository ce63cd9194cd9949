//! The command line: output that cannot be written, signals, completions, the manual, the version.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use testkit::ports::free_address;
use testkit::process::{Process, Server, Signal};
use testkit::rest::Rest;
use testkit::shop::{KEY, Shop};
use testkit::{SOON, until_some};

const BINARY: &str = env!("CARGO_BIN_EXE_livesouk");
const TOKEN: &str = "token --auth-key the-key-with-which-the-tests-sign-tokens --user ann --name Ann --role host";

/// Runs a line of bash in which `$0` is livesouk.
fn bash(line: &str) -> Output {
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", line, BINARY]).current_dir(std::env::temp_dir());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LIVESOUK_")) {
        command.env_remove(name);
    }
    command.output().expect("bash runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn result_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display();
    for line in [
        TOKEN.to_owned(),
        format!("migrate --store sqlite:{data}/one.db"),
        format!("demo --json --listen 127.0.0.1:0 --data {data}/demo"),
        "--version".to_owned(),
        "--help".to_owned(),
        "serve --help".to_owned(),
        "man serve".to_owned(),
        "completions bash".to_owned(),
    ] {
        let output = bash(&format!("exec \"$0\" {line} >/dev/full"));
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(said.contains("cannot write to the standard output"), "{line}: {said}");
        assert!(!said.contains("panicked"), "{line}: {said}");
    }
}

#[test]
fn reader_that_stops_early_is_no_error() {
    for line in ["serve --help", "--help", "man serve", "completions bash", "completions zsh"] {
        let output = bash(&format!("\"$0\" {line} | head -n 1"));
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""), "{line}");
        // The reader is gone before the first byte.
        let output = bash(&format!("\"$0\" {line} > >(exec true); wait $!; :"));
        assert!(!said(&output).contains("panicked"), "{line}: {}", said(&output));
    }
}

#[test]
fn closed_or_full_standard_streams_do_not_panic() {
    let cases = [
        (format!("{TOKEN} >&-"), Some(0)),
        ("--help >&-".to_owned(), Some(0)),
        ("serve --auth-key short 2>&-".to_owned(), Some(2)),
        ("serve --auth-key short 2>/dev/full".to_owned(), Some(2)),
        ("serve --nonsense 2>/dev/full".to_owned(), Some(2)),
        (format!("serve --auth-key {KEY} --store sqlite:/nowhere/at/all.db 2>/dev/full"), Some(2)),
    ];
    for (line, code) in cases {
        let output = bash(&format!("exec \"$0\" {line}"));
        assert_eq!(output.status.code(), code, "{line}: {}", said(&output));
    }
}

/// Starts the demo through a shell that changes its streams or signals.
async fn demo_in_shell(before: &str, after: &str) -> (Process, Rest, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let listen = free_address();
    let line = format!("{before} exec '{BINARY}' demo --listen {listen} --data data --log debug {after}");
    let mut process = Process::start(Command::new("bash").args(["-c", &line]).current_dir(folder.path()));
    let rest = Rest::new(&format!("http://{listen}"));
    until_some("ready demo", SOON, async || {
        assert!(!process.has_ended(), "{line}: {}", process.stderr());
        let answer = rest.try_send(reqwest::Method::GET, "/readyz", &[], None).await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
    (process, rest, folder)
}

#[tokio::test]
async fn shop_runs_when_its_log_cannot_be_written() {
    for after in ["2>/dev/full", "2>&-", ">&- 2>&-", ">/dev/full 2>/dev/full"] {
        let (mut process, rest, _folder) = demo_in_shell("", after).await;
        // A refused token is logged inside its request.
        for _ in 0..3 {
            rest.with_token("x").get("/v1/orders").await.expect_problem(401, "token_invalid");
        }
        process.signal(Signal::Interrupt);
        assert_eq!(process.end(SOON).await.code(), Some(0), "{after}");
    }
}

#[tokio::test]
async fn hangup_does_not_stop_a_node_and_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let mut server = Server::serve(&store, KEY, &[]).await;
    server.process.signal(Signal::Hangup);
    until_some("log line", SOON, async || server.process.stderr().contains("SIGHUP is ignored").then_some(())).await;
    assert_eq!(server.rest().get("/readyz").await.status, 200);
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn demo_ends_with_its_terminal_unless_nohup_keeps_it() {
    let mut server = Server::demo().await;
    server.process.signal(Signal::Hangup);
    assert_eq!(server.process.end(SOON).await.code(), Some(0), "{}", server.process.stderr());
    let (mut process, rest, _folder) = demo_in_shell("trap '' HUP;", "").await;
    process.signal(Signal::Hangup);
    until_some("log line", SOON, async || process.stderr().contains("SIGHUP is ignored").then_some(())).await;
    assert_eq!(rest.get("/readyz").await.status, 200);
    process.signal(Signal::Interrupt);
    assert_eq!(process.end(SOON).await.code(), Some(0));
}

async fn refused(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::livesouk(args, folder.path());
    assert_eq!(process.end(SOON).await.code(), Some(2), "{args:?}: {}", process.stderr());
    process.stderr()
}

#[tokio::test]
async fn taken_metrics_port_is_blamed_on_its_own_setting() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&["serve", "--auth-key", KEY, "--listen", "127.0.0.1:0", "--metrics-listen", &address]).await;
    assert!(said.contains("--metrics-listen (LIVESOUK_METRICS_LISTEN)") && said.contains(&address), "{said}");
    assert!(!said.contains("--listen "), "{said}");
    let said = refused(&["serve", "--auth-key", KEY, "--listen", &address]).await;
    assert!(said.contains("--listen (LIVESOUK_LISTEN)") && !said.contains("--metrics-listen"), "{said}");
}

#[tokio::test]
async fn unusable_place_for_the_data_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let (file, inside) = (file.to_str().unwrap(), format!("{here}/file/data"));
    let directory = format!("sqlite:{here}");
    let began = std::time::Instant::now();
    for (args, parts) in [
        (["demo", "--data", file], ["--data (LIVESOUK_DATA)", file]),
        (["demo", "--data", &inside], ["--data (LIVESOUK_DATA)", &inside]),
        (["demo", "--data", "/proc/data"], ["--data (LIVESOUK_DATA)", "/proc/data"]),
        (["migrate", "--store", &directory], ["--store (LIVESOUK_STORE)", "is a folder: name a file"]),
        (["migrate", "--store", "sqlite:/proc/shop.db"], ["--store (LIVESOUK_STORE)", "/proc/shop.db"]),
    ] {
        let said = refused(&args).await;
        assert!(parts.iter().all(|part| said.contains(part)), "{args:?}: {said}");
    }
    assert!(began.elapsed() < SOON / 2, "no retry helps: {:?}", began.elapsed());
}

#[tokio::test]
async fn negative_number_is_named_as_a_value() {
    for (args, part) in [
        (vec!["serve", "--drain-seconds", "-1"], "invalid value '-1' for '--drain-seconds <N>'"),
        (vec!["serve", "--chat-days", "-5"], "invalid value '-5' for '--chat-days <N>'"),
        (vec!["demo", "--joins-per-second", "-0.5"], "invalid value '-0.5' for '--joins-per-second <N>'"),
        (vec!["token", "--user", "a", "--name", "A", "--role", "host", "--ttl", "-60"], "for '--ttl <SECONDS>'"),
    ] {
        let said = refused(&args).await;
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn token_names_the_flag_that_is_wrong() {
    for (user, name, role, part) in
        [("a b", "Ann", "host", "--user:"), ("ann", "", "host", "--name:"), ("ann", "Ann", "king", "--role:")]
    {
        let said = refused(&["token", "--auth-key", KEY, "--user", user, "--name", name, "--role", role]).await;
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let complete = |words: &str| {
        let count = words.split(' ').count() - 1;
        let line = format!(
            "source <(\"$0\" completions bash) && COMP_WORDS=({words}) COMP_CWORD={count} && \
             [[ \"${{COMP_WORDS[-1]}}\" != '\"\"' ]]; _livesouk livesouk \"${{COMP_WORDS[COMP_CWORD]}}\" \
             \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = bash(&line);
        assert!(output.status.success(), "{words}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("livesouk ser"), ["serve"]);
    assert_eq!(complete("livesouk serve --auth-k"), ["--auth-key", "--auth-key-max-role", "--auth-key-file"]);
    assert_eq!(complete("livesouk serve --log-format j"), ["json"]);
    for (shell, part) in [("zsh", "#compdef livesouk"), ("fish", "complete -c livesouk")] {
        let output = bash(&format!("\"$0\" completions {shell}"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(part) && text.contains("trusted-proxy"), "{shell}: {text}");
    }
    assert_eq!(bash("\"$0\" completions tcsh").status.code(), Some(2));
}

#[test]
fn manual_has_a_page_for_each_command() {
    let page = |command: &str| String::from_utf8(bash(&format!("\"$0\" man {command}")).stdout).unwrap();
    let main = page("");
    for command in ["demo", "serve", "migrate", "token", "owner", "healthy", "completions", "man"] {
        assert!(main.contains(command), "{command} is not in {main}");
        let own = page(command);
        assert!(own.starts_with(".ie") && own.contains(".TH") && own.contains(command), "{command}: {own}");
    }
    let serve = page("serve").replace("\\-", "-");
    for part in ["--auth-key-file", "--trusted-proxy", "LIVESOUK_TRUSTED_PROXY"] {
        assert!(serve.contains(part), "{part} is not in {serve}");
    }
    let unknown = bash("\"$0\" man fly");
    assert!(unknown.status.code() == Some(2) && said(&unknown).contains("no command `fly`"), "{}", said(&unknown));
}

#[tokio::test]
async fn version_names_the_commit() {
    let output = bash("\"$0\" --version");
    let text = String::from_utf8(output.stdout).unwrap();
    let commit = text.trim().strip_prefix(&format!("livesouk {} (", env!("CARGO_PKG_VERSION"))).expect(&text);
    assert!(commit.ends_with(')') && commit.len() > 1, "{text}");
    // The log of a node and its metrics say the same.
    let shop = Shop::demo(&[]).await;
    let page = shop.rest("op", "admin").get("/metrics").await.expect(200);
    let page: &Value = &page;
    assert!(page.as_str().unwrap().contains(&format!("commit=\"{}", commit.trim_end_matches(')'))), "{page}");
}

/// Compiles `build.rs` once and runs it in a folder, as cargo would for a release; returns what it prints.
fn build_script(binary: &Path, folder: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(binary);
    command.current_dir(folder).env("PROFILE", "release").env_remove("LIVESOUK_COMMIT").envs(variables.iter().copied());
    let output = command.output().expect("the build script runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn build_script_finds_the_commit_with_and_without_git() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("build_script");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let compiled = Command::new("rustc").args(["--edition", "2024", "-o"]).arg(&binary).arg(&source).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let git = |folder: &Path, line: &str| {
        let args = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"];
        let output = Command::new("git").args(args).args(line.split(' ')).current_dir(folder).output().expect("git");
        assert!(output.status.success(), "git {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let commit_in = |printed: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=LIVESOUK_COMMIT="));
        line.expect(printed).to_owned()
    };
    let repository = folder.path().join("repository");
    let inside = repository.join("archive");
    std::fs::create_dir_all(&inside).unwrap();
    git(&repository, "init -q");
    git(&repository, "commit -q --allow-empty -m one");
    let head = git(&repository, "rev-parse --short=12 HEAD");
    let printed = build_script(&binary, &repository, &[]);
    assert_eq!(commit_in(&printed), head);
    // cargo runs the script at every build if one of these files does not exist.
    let watched: Vec<&str> =
        printed.lines().filter_map(|line| line.strip_prefix("cargo::rerun-if-changed=")).skip(1).collect();
    assert!(!watched.is_empty() && watched.iter().all(|file| repository.join(file).exists()), "{printed}");
    let before: Vec<_> = watched.iter().map(|file| std::fs::read(repository.join(file)).unwrap()).collect();
    git(&repository, "commit -q --allow-empty -m two");
    let after: Vec<_> = watched.iter().map(|file| std::fs::read(repository.join(file)).unwrap()).collect();
    assert_ne!(before, after, "a new commit changes none of {watched:?}");
    assert_ne!(commit_in(&build_script(&binary, &repository, &[])), head);
    // A worktree, whose `.git` is a file.
    git(&repository, "worktree add -q ../tree");
    let tree = folder.path().join("tree");
    assert_eq!(commit_in(&build_script(&binary, &tree, &[])), git(&tree, "rev-parse --short=12 HEAD"));
    // An archive, also one inside another repository; a machine without git; a debug build; an image.
    assert_eq!(commit_in(&build_script(&binary, &inside, &[])), "unknown commit");
    assert_eq!(commit_in(&build_script(&binary, folder.path(), &[])), "unknown commit");
    assert_eq!(commit_in(&build_script(&binary, &repository, &[("PATH", "/nowhere")])), "unknown commit");
    assert_eq!(commit_in(&build_script(&binary, &repository, &[("PROFILE", "debug")])), "debug build");
    assert_eq!(commit_in(&build_script(&binary, &inside, &[("LIVESOUK_COMMIT", "1a2b3c")])), "1a2b3c");
    assert_eq!(commit_in(&build_script(&binary, &inside, &[("LIVESOUK_COMMIT", "a b\ncargo::x")])), "unknown commit");
}
