//! Finds the modules that a page loads, so that browsers request all of them at once and not one after the other.

use std::collections::BTreeSet;

/// The scripts of a page, as it names them before the server has filled in the version.
pub(super) fn scripts(html: &str) -> impl Iterator<Item = &str> {
    html.split("src=\"{{assets}}/").skip(1).filter_map(|rest| rest.split('"').next())
}

/// The modules that these import directly and indirectly, each after those that it imports itself. Modules that are
/// imported later, by `import()`, are left out.
pub(super) fn imported<'a>(
    mains: impl Iterator<Item = &'a str>,
    text: impl Fn(&str) -> Option<&'a str>,
) -> Vec<String> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for main in mains {
        // Depth first without recursion: a module is entered, then what it imports, then it is left.
        let mut open = vec![(main.to_owned(), false)];
        while let Some((name, left)) = open.pop() {
            if left {
                found.push(name);
            } else if let Some(text) = text(&name).filter(|_| seen.insert(name.clone())) {
                open.push((name.clone(), true));
                let mut imports: Vec<String> = imports(text).filter_map(|path| resolve(&name, path)).collect();
                imports.reverse();
                open.extend(imports.into_iter().map(|one| (one, false)));
            }
        }
    }
    found
}

/// The relative paths that a module imports. House style puts each import on one line.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("export "));
    lines.filter_map(|line| line.strip_suffix("';")?.rsplit_once('\'')).filter_map(|(before, path)| {
        let is_import = before.ends_with(" from ") || before == "import ";
        (is_import && path.starts_with('.')).then_some(path)
    })
}

/// The name of a file from a path that is relative to another one.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_follow_what_they_import() {
        let text = |name: &str| match name {
            "door/main.js" => Some("import { a } from '../shared/a.js';\nimport './b.js';\nimport('./later.js');\n"),
            "shared/a.js" => Some("export { c } from './parts/c.js';\n// import { x } from './x.js';\n"),
            "shared/parts/c.js" => Some("import { a } from '../a.js';\nexport const c = 'from ./y.js';\n"),
            "door/b.js" => Some("import '../../../z.js';\nimport fs from 'fs';\n"),
            _ => None,
        };
        let all = ["shared/parts/c.js", "shared/a.js", "door/b.js", "door/main.js"];
        assert_eq!(imported(["door/main.js", "door/b.js"].into_iter(), text), all);
        assert_eq!(imported(["door/b.js", "door/main.js"].into_iter(), text), ["door/b.js", all[0], all[1], all[3]]);
        assert!(imported(["door/none.js"].into_iter(), text).is_empty());
    }

    #[test]
    fn scripts_are_found_in_a_page() {
        let html = "<script src=\"{{assets}}/door/a.js\"></script><img src=\"x.js\"><script src=\"{{assets}}/b.js\">";
        assert_eq!(scripts(html).collect::<Vec<_>>(), ["door/a.js", "b.js"]);
    }
}
