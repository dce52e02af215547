//! The stored inputs of a target, for the tests of the crates. Each is an input that once reached new code.

use std::path::Path;

/// Runs the target over every stored input. Fails if there is none.
pub(crate) fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus")).join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let file = entry.expect("an entry").path();
        target(&std::fs::read(&file).expect("a readable file"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}
