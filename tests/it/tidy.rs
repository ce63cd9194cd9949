//! The form of the house, held by tests: arrows between the layers, migration twins, the map, sizes, nothing unfinished.
//!
//! Each rule is a function from text to findings, tested on small samples that break it, so that we know it can fail.

mod imports;
mod map;
mod protocol_page;
mod retired_names;
mod sample_views;
mod sentences;
mod service_order;
mod source;

use std::path::Path;
use std::process::Command;

const LINES_MAX: usize = 500;

/// The files of the repository that exist here: what is committed, and what is new and not ignored.
fn files() -> Vec<String> {
    let listing = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("git runs");
    assert!(listing.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listing.stderr));
    let listing = String::from_utf8(listing.stdout).expect("paths are UTF-8");
    listing.lines().filter(|path| root().join(path).is_file()).map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn unfinished(path: &str, text: &str) -> Vec<String> {
    let tokens = source::tokens(text);
    let calls = tokens.windows(3).filter(|of| {
        matches!(of[0].text, "todo" | "unimplemented") && of[1].text == "!" && matches!(of[2].text, "(" | "[" | "{")
    });
    calls.map(|of| format!("{path}:{}: {}!", of[0].line, of[0].text)).collect()
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LINES_MAX).then(|| format!("{path} has {lines} lines, at most {LINES_MAX}: has a second noun moved in?"))
}

/// A module that is compiled from the folder of another target. Shared code belongs in a crate; only unit tests may lie in a
/// file beside their module.
fn borrowed_modules(path: &str, text: &str) -> Vec<String> {
    let tokens = source::tokens(text);
    let attributes = tokens.windows(4).filter(|of| of.iter().map(|token| token.text).eq(["#", "[", "path", "="]));
    let lines: Vec<&str> = text.lines().collect();
    let is_sibling = |line: &str| !line.contains('/') && line.contains("_test.rs\"");
    let borrowed = attributes.filter(|of| !is_sibling(lines[of[0].line - 1]));
    borrowed.map(|of| format!("{path}:{}: a #[path] outside of unit tests", of[0].line)).collect()
}

/// A migration that only one database has.
fn lonely_migrations(files: &[String]) -> Vec<String> {
    let of = |folder: &str| -> Vec<&str> { files.iter().filter_map(|file| file.strip_prefix(folder)).collect() };
    let (postgres, sqlite) = (of("migrations/postgres/"), of("migrations/sqlite/"));
    let only = |one: &[&str], other: &[&str], missing_in: &str| -> Vec<String> {
        let lonely = one.iter().filter(|name| !other.contains(name));
        lonely.map(|name| format!("{name} is missing in migrations/{missing_in}")).collect()
    };
    [only(&postgres, &sqlite, "sqlite"), only(&sqlite, &postgres, "postgres")].concat()
}

#[test]
fn imports_follow_the_table() {
    let mut found = Vec::new();
    for file in files() {
        if let Some(path) = file.strip_prefix("src/").filter(|path| path.ends_with(".rs")) {
            found.extend(imports::findings(path, &read(&file)));
        }
    }
    assert_none(&found);
}

#[test]
fn services_follow_their_table() {
    let files = files().into_iter().filter(|file| file.starts_with("src/app/") && file.ends_with(".rs"));
    let texts: Vec<(String, String)> = files.map(|file| (file.clone(), read(&file))).collect();
    let texts = texts.iter().map(|(file, text)| (file.trim_start_matches("src/"), text.as_str()));
    assert_none(&service_order::findings(&read("docs/architecture.md"), texts));
}

#[test]
fn map_matches_the_tree() {
    assert_none(&map::findings(&read("docs/architecture.md"), &files()));
}

#[test]
fn both_databases_have_the_same_migrations() {
    assert_none(&lonely_migrations(&files()));
}

#[test]
fn no_source_file_is_too_long() {
    let files = files().into_iter().filter(|file| file.ends_with(".rs") || file.ends_with(".js"));
    assert_none(&files.filter_map(|file| too_long(&file, &read(&file))).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_unfinished() {
    let files = files().into_iter().filter(|file| file.ends_with(".rs"));
    assert_none(&files.flat_map(|file| unfinished(&file, &read(&file))).collect::<Vec<_>>());
}

#[test]
fn reasons_of_refusals_are_sentences() {
    let files = files().into_iter().filter(|file| file.starts_with("src/") && file.ends_with(".rs"));
    assert_none(&files.flat_map(|file| sentences::findings(&file, &read(&file))).collect::<Vec<_>>());
}

#[test]
fn no_module_is_borrowed_from_another_target() {
    let files = files().into_iter().filter(|file| file.ends_with(".rs"));
    assert_none(&files.flat_map(|file| borrowed_modules(&file, &read(&file))).collect::<Vec<_>>());
}

#[test]
fn a_borrowed_module_is_found() {
    assert!(
        borrowed_modules("a.rs", "#[cfg(test)]\n#[path = \"a_test.rs\"]\nmod tests; // #[path = \"b.rs\"]").is_empty()
    );
    for text in
        ["\n#[path = \"../b.rs\"]\nmod b;", "\n#[path = \"../a_test.rs\"]\nmod b;", "\n#[path = \"b.rs\"]\nmod b;"]
    {
        assert_eq!(borrowed_modules("a.rs", text), ["a.rs:2: a #[path] outside of unit tests"]);
    }
}

#[test]
fn unfinished_code_is_found_and_talk_of_it_is_not() {
    assert_eq!(unfinished("a.rs", "fn f() {\n    todo!()\n}"), ["a.rs:2: todo!"]);
    assert_eq!(unfinished("a.rs", "unimplemented! ()"), ["a.rs:1: unimplemented!"]);
    assert!(unfinished("a.rs", "// todo!()\nlet todo = \"todo!\"; todo != 1").is_empty());
}

#[test]
fn a_long_file_is_found() {
    assert!(too_long("a.rs", &"\n".repeat(LINES_MAX)).is_none());
    assert!(too_long("a.rs", &"\n".repeat(LINES_MAX + 1)).is_some());
}

#[test]
fn a_lonely_migration_is_found() {
    let twins = ["migrations/postgres/1_a.sql", "migrations/sqlite/1_a.sql"].map(str::to_owned);
    assert_none(&lonely_migrations(&twins));
    assert_eq!(lonely_migrations(&twins[..1]), ["1_a.sql is missing in migrations/sqlite"]);
    assert_eq!(lonely_migrations(&twins[1..]), ["1_a.sql is missing in migrations/postgres"]);
}

/// `LIVESOUK_UPDATE_DOCS=1` writes the page instead.
#[test]
fn protocol_page_matches_the_types() {
    let expected = protocol_page::page();
    if std::env::var_os("LIVESOUK_UPDATE_DOCS").is_some() {
        std::fs::write(root().join("docs/protocol.md"), &expected).expect("the page is written");
    }
    assert_eq!(read("docs/protocol.md"), expected, "run: LIVESOUK_UPDATE_DOCS=1 cargo test --test it protocol_page");
}

#[test]
fn retired_names_do_not_come_back() {
    let read_text = |file: &String| std::fs::read_to_string(root().join(file)).ok(); // a picture is no text
    let findings =
        |file: String| read_text(&file).map(|text| retired_names::findings(&file, &text)).unwrap_or_default();
    assert_none(&files().into_iter().flat_map(findings).collect::<Vec<_>>());
}
