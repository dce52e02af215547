//! Splits JavaScript into tokens (ECMA-262, section 12). Comments are left out; literals become one token without
//! their text. The code inside `${}` of a template is split as well.

/// Punctuators of several characters, as far as the rules distinguish them from shorter ones; longest first.
const PUNCTUATORS: &[&str] = &["...", "===", "!==", "=>", "==", "!=", "<=", ">=", "?."];

/// Tokens after which `/` divides, besides names and literals.
const OPERAND_ENDS: &[&str] = &[")", "]", "}"];

/// Words after which `/` begins a regular expression.
const OPERATORS: &[&str] = &["return", "typeof", "case", "in", "of", "await", "yield"];

/// The text of every literal.
const LITERAL: &str = "\"";

/// A word, a punctuator or a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// From 1.
    pub(super) line: usize,
}

pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { rest: text, line: 1, tokens: Vec::new(), templates: Vec::new() };
    while scanner.step() {}
    scanner.tokens
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token<'a>>,
    /// For each template whose `${}` is open, the braces open inside it.
    templates: Vec<usize>,
}

impl<'a> Scanner<'a> {
    /// Takes the next token or gap. Returns whether there was one.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        match first {
            _ if self.rest.starts_with("//") => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
            _ if self.rest.starts_with("/*") => self.skip(self.rest.find("*/").map_or(self.rest.len(), |end| end + 2)),
            _ if first.is_whitespace() => self.skip(first.len_utf8()),
            '"' | '\'' => self.literal(|rest| end_of_string(rest, first)),
            '/' if self.begins_expression() => self.literal(end_of_regular_expression),
            '`' => self.template(),
            '}' if self.templates.last() == Some(&0) => {
                self.templates.pop();
                self.template();
            }
            _ => self.word_or_punctuator(first),
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }

    fn push(&mut self, text: &'a str) {
        self.tokens.push(Token { text, line: self.line });
    }

    fn literal(&mut self, end: impl Fn(&str) -> usize) {
        self.push(LITERAL);
        self.skip(end(self.rest));
    }

    /// The text of a template from its backtick, or from the `}` of a `${}`, up to its end or the next `${`.
    fn template(&mut self) {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if !escaped && c == '`' {
                self.push(LITERAL);
                return self.skip(at + 1);
            }
            if !escaped && self.rest[at..].starts_with("${") {
                self.templates.push(0);
                return self.skip(at + 2);
            }
            escaped = c == '\\' && !escaped;
        }
        self.skip(self.rest.len());
    }

    fn word_or_punctuator(&mut self, first: char) {
        let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        let bytes = if in_word(first) || first == '#' {
            let after = first.len_utf8();
            self.rest[after..].find(|c| !in_word(c)).map_or(self.rest.len(), |end| after + end)
        } else {
            let several = PUNCTUATORS.iter().find(|punctuator| self.rest.starts_with(**punctuator));
            several.map_or(first.len_utf8(), |punctuator| punctuator.len())
        };
        if let Some(open) = self.templates.last_mut() {
            match first {
                '{' => *open += 1,
                '}' => *open -= 1,
                _ => {}
            }
        }
        self.push(&self.rest[..bytes]);
        self.skip(bytes);
    }

    /// Whether a `/` here begins a regular expression.
    fn begins_expression(&self) -> bool {
        let Some(Token { text, .. }) = self.tokens.last() else { return true };
        let is_word = text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#'));
        !OPERAND_ENDS.contains(text) && *text != LITERAL && (!is_word || OPERATORS.contains(text))
    }
}

fn end_of_string(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if !escaped && (c == quote || c == '\n') {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

fn end_of_regular_expression(rest: &str) -> usize {
    let (mut escaped, mut in_class) = (false, false);
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => {}
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return at + 1,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}
