//! The names that a JavaScript file gives to things: functions, classes, methods, variables, parameters and properties.
//!
//! Works on tokens and knows the forms in which JavaScript defines a name. A name that a destructuring pattern only
//! reads from an object is not a definition.

mod scan;

use scan::{Token, tokens};

/// Words before `(` that begin no list of parameters.
const CONTROL: &[&str] = &["if", "for", "while", "switch", "with", "await", "return"];

/// One definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) name: String,
    /// From 1.
    pub(crate) line: usize,
}

/// Every definition of the file, in its order.
pub(crate) fn definitions(text: &str) -> Vec<Definition> {
    let mut reader = Reader { tokens: tokens(text), found: Vec::new(), pattern_end: 0 };
    reader.read();
    reader.found
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    found: Vec<Definition>,
    /// The end of the pattern or parameter list that is being read. Keys before it are not definitions.
    pattern_end: usize,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut class_begins = false;
        // For each open brace, whether it is that of a class.
        let mut braces = Vec::new();
        for at in 0..self.tokens.len() {
            match self.text(at) {
                "class" => {
                    class_begins = true;
                    if self.text(at + 1) != "extends" {
                        self.define(at + 1);
                    }
                }
                "{" => braces.push(std::mem::take(&mut class_begins)),
                "}" => drop(braces.pop()),
                "const" | "let" | "var" => self.declarators(at + 1),
                "as" => self.define(at + 1),
                "(" if self.is_parameters(at) => self.pattern(at),
                _ if self.is_defined_here(at, braces.last() == Some(&true)) => self.define(at),
                _ => {}
            }
        }
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |at| self.text(at))
    }

    fn is_name(&self, at: usize) -> bool {
        self.text(at).starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '$' | '#'))
    }

    fn define(&mut self, at: usize) {
        if self.is_name(at) {
            let Token { text, line } = self.tokens[at];
            self.found.push(Definition { name: text.to_owned(), line });
        }
    }

    /// Whether the token is the name of a function, method, field, property or single parameter.
    fn is_defined_here(&self, at: usize, in_class: bool) -> bool {
        if !self.is_name(at) {
            return false;
        }
        let (before, after) = (self.before(at), self.text(at + 1));
        let is_key = after == ":" && matches!(before, "{" | ",") && at >= self.pattern_end;
        let is_field = in_class && matches!(after, "=" | ";") && matches!(before, "{" | "}" | ";" | "static");
        let is_assigned = before == "." && at >= 2 && self.text(at - 2) == "this" && after == "=";
        let is_function = after == "("
            && self.text(self.closing(at + 1) + 1) == "{"
            && !matches!(self.text(at), "function" | "catch")
            && !CONTROL.contains(&self.text(at));
        is_key || is_field || is_assigned || is_function || after == "=>"
    }

    /// Whether the parenthesis at `open` encloses parameters, or the binding of a `catch`.
    fn is_parameters(&self, open: usize) -> bool {
        match self.text(self.closing(open) + 1) {
            "=>" => true,
            "{" => !CONTROL.contains(&self.before(open)),
            _ => false,
        }
    }

    /// The variables of a `const`, `let` or `var` whose first one is at `at`.
    fn declarators(&mut self, mut at: usize) {
        loop {
            if matches!(self.text(at), "{" | "[") {
                self.pattern(at);
                at = self.closing(at) + 1;
            } else {
                self.define(at);
                at += 1;
            }
            if self.text(at) == "=" {
                at = self.end_of_expression(at + 1);
            }
            if self.text(at) != "," {
                return;
            }
            at += 1;
        }
    }

    /// The names that a pattern or parameter list binds.
    fn pattern(&mut self, open: usize) {
        let close = self.closing(open);
        for at in open..close {
            let is_bound = matches!(self.before(at), "{" | "[" | "(" | "," | ":" | "...") && self.text(at + 1) != ":";
            if is_bound && at >= self.pattern_end {
                self.define(at);
            }
        }
        self.pattern_end = self.pattern_end.max(close);
    }

    /// The index of the bracket that closes the one at `open`, or the end of the file.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for at in open..self.tokens.len() {
            match self.text(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }

    /// The index of the `,`, `;` or closing bracket after the expression that begins at `at`.
    fn end_of_expression(&self, mut at: usize) -> usize {
        while at < self.tokens.len() {
            match self.text(at) {
                "," | ";" | ")" | "]" | "}" => return at,
                "(" | "[" | "{" => at = self.closing(at) + 1,
                _ => at += 1,
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        definitions(text).into_iter().map(|definition| definition.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_form_of_definition_is_found() {
        for (text, expected) in [
            ("function a(b, { c, d: e = 1 }, [f], ...g) { h(b); }", "a b c e f g"),
            ("async function* a() {}", "a"),
            (
                "export default class A extends B { #c = 1; static d; e; get f() { return 1; } g(h) {} }",
                "A #c d e f g h",
            ),
            ("const a = 1, { b, c: d } = e, [f, g] = h; let i; var j, k;", "a b d f g i j k"),
            ("for (const [a, b] of c.entries()) { d(a); }", "a b"),
            ("a.map((b) => b.c); d.map(e => e.f); g(async ({ h }) => h);", "b e h"),
            ("x({ a: 1, b() { return c; }, 'd': 2, [e]: 3, f });", "a b"),
            ("this.a = 1; this.b == 2; this.c.d = 3;", "a"),
            ("try { a(); } catch (b) { c(b); }", "b"),
            ("import { a, b as c } from 'd'; import * as e from 'f';", "c e"),
            ("const a = function (b) { return b; };", "a b"),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn uses_and_literals_are_not_definitions() {
        for text in [
            "if (a) { b(c); } else if (d) { e(); } while (f) { g(); } switch (h) { case i: j(); }",
            "for (a of b) { c(); } for await (a of b) { c(); }",
            "k = l ? m : n; o(p, q ? r : s); t.u = v;",
            "// const a = 1;\n/* function b() {} */ 'const c'; \"let d\"; `var e`; /const f/.test(g / h / i);",
            "return a;",
        ] {
            assert_eq!(names(text), "", "{text}");
        }
    }

    #[test]
    fn a_definition_has_its_line() {
        let found = definitions("// one\n`two\n${((a) => a)(1)}`;\nconst b = /[/`]/;\nlet c;");
        let found: Vec<_> = found.iter().map(|definition| (definition.name.as_str(), definition.line)).collect();
        assert_eq!(found, [("a", 3), ("b", 4), ("c", 5)]);
    }

    #[test]
    fn unfinished_files_end() {
        for text in ["`a${", "function a(", "const {", "\"a", "/a", "/*", "class", "const", "this.", "`"] {
            definitions(text);
        }
    }
}
