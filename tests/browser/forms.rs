//! How often a test repeats itself: once in the short form, and on every device and in every language with `scripts/test --all`.

/// Whether this is the long form, which takes many minutes more. A run that keeps the screenshots is always the long form.
pub fn is_long_form() -> bool {
    ["LIVESOUK_TEST_ALL_SCREENS", "LIVESOUK_SHOTS"].iter().any(|name| std::env::var_os(name).is_some())
}

/// The first of these devices or languages; all of them in the long form. The first is the one where most goes wrong: a phone for
/// buyers, mostly in Arabic, and a desktop for the team.
pub fn first_or_all<T, const N: usize>(all: [T; N]) -> impl ExactSizeIterator<Item = T> {
    let count = if is_long_form() { N } else { 1 };
    all.into_iter().take(count)
}
