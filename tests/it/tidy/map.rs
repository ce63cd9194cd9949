//! The map in docs/architecture.md against the tree: a wrong map is worse than none.
//!
//! A line of the map is its paths, at least two spaces, then words for people; two spaces of indentation lead into
//! the folder above. It must name every top-level entry and every folder under `src/`; the rest is free.

use std::collections::BTreeSet;

/// What is wrong, one line per finding. `files` are the files of the repository, as `git ls-files` prints them.
pub fn findings(readme: &str, files: &[String]) -> Vec<String> {
    let listed = match listed(readme) {
        Some(listed) => listed,
        None => return vec!["docs/architecture.md has no fenced block under a heading with the word map".to_owned()],
    };
    let mut found = Vec::new();
    for path in &listed {
        let there = match path.strip_suffix('/') {
            Some(_) => files.iter().any(|file| file.starts_with(path)),
            None => files.contains(path),
        };
        if !there {
            found.push(format!("the map lists {path}, which does not exist"));
        }
    }
    for entry in must_be_listed(files) {
        if !listed.contains(&entry) {
            found.push(format!("the map does not list {entry}"));
        }
    }
    found
}

fn listed(readme: &str) -> Option<BTreeSet<String>> {
    let is_heading = |line: &&str| line.starts_with('#') && line.to_lowercase().contains("map");
    let mut lines = readme.lines().skip_while(|line| !is_heading(line)).skip_while(|line| !line.starts_with("```"));
    lines.next()?;
    let mut paths = BTreeSet::new();
    let mut folders: Vec<(usize, String)> = Vec::new();
    for line in lines.take_while(|line| !line.starts_with("```")) {
        let indent = line.len() - line.trim_start().len();
        folders.retain(|(of_folder, _)| *of_folder < indent);
        let parent = folders.last().map(|(_, path)| path.clone()).unwrap_or_default();
        let names = line.trim().split("  ").next().unwrap_or_default();
        for name in names.split(' ').filter(|name| !name.is_empty()) {
            let path = format!("{parent}{name}");
            if name.ends_with('/') {
                folders.push((indent, path.clone()));
            }
            paths.insert(path);
        }
    }
    Some(paths)
}

fn must_be_listed(files: &[String]) -> BTreeSet<String> {
    let mut entries = BTreeSet::new();
    for file in files {
        match file.split_once('/') {
            Some((folder, _)) => entries.insert(format!("{folder}/")),
            None => entries.insert(file.clone()),
        };
        let folders = file.strip_prefix("src/").map(|inside| inside.match_indices('/').map(|(at, _)| at + 5));
        entries.extend(folders.into_iter().flatten().map(|end| file[..end].to_owned()));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::findings;

    const FILES: [&str; 4] = ["Cargo.toml", "src/main.rs", "src/lib.rs", "src/domain/offer.rs"];

    fn check(map: &str) -> Vec<String> {
        let readme = format!("# Livesouk\n```\nnot/this\n```\n## The map\n```text\n{map}\n```\n");
        findings(&readme, &FILES.map(str::to_owned))
    }

    #[test]
    fn a_true_map_passes() {
        let map = "Cargo.toml    workspace: Cargo.toml and nope.rs\nsrc/\n  main.rs lib.rs  thin\n  domain/  words";
        assert_eq!(check(map), Vec::<String>::new());
    }

    #[test]
    fn a_map_that_lies_is_found() {
        let whole = "Cargo.toml\nsrc/\n  domain/";
        let rows = [
            (format!("{whole}\n  nope.rs  gone"), "lists src/nope.rs, which does not exist"),
            (format!("{whole}\ndocs/  gone"), "lists docs/, which does not exist"),
            (whole.replace("Cargo.toml\n", ""), "does not list Cargo.toml"),
            ("Cargo.toml\nsrc/".to_owned(), "does not list src/domain/"),
        ];
        for (map, expected) in rows {
            let found = check(&map);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].ends_with(expected), "{found:?}");
        }
        assert_eq!(findings("# Livesouk\n", &[]).len(), 1);
    }
}
