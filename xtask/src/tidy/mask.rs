//! Rust text with everything that is not code blanked out, so that rules can look for words in it.
//!
//! Every character that goes becomes a space and every line break stays, so positions are those of the original.

/// Blanks comments and what is inside string and character literals.
pub(crate) fn code_only(text: &str) -> String {
    let mut mask = Mask { text: text.as_bytes(), out: text.as_bytes().to_vec(), at: 0 };
    mask.run();
    // Bytes of multi-byte characters are blanked together: comments and literals begin and end at ASCII.
    String::from_utf8_lossy(&mask.out).into_owned()
}

/// Blanks, in text from [`code_only`], the items under `#[cfg(test)]` and `#[test]`.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    for attribute in ["#[cfg(test)]", "#[test]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(attribute) {
            blank(&mut out, start, end_of_item(code, start));
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The names in `#[cfg(test)] mod name;`: files that hold nothing but tests.
pub(crate) fn test_modules(code: &str) -> Vec<&str> {
    code.match_indices("#[cfg(test)]")
        .filter_map(|(start, attribute)| {
            let item = code[start + attribute.len()..end_of_item(code, start)].trim();
            item.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name.trim())
        })
        .collect()
}

/// One past the last byte of the item whose attributes start at `start`: the end of its first braces, or its `;`.
fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    let mut brackets = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            b';' if depth == 0 && brackets == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// One past the brace that closes the first one at or after `start`; `None` if a `;` comes before any brace.
pub(crate) fn end_of_body(code: &str, start: usize) -> Option<usize> {
    let end = end_of_item(code, start);
    code[start..end].ends_with('}').then_some(end)
}

struct Mask<'a> {
    text: &'a [u8],
    out: Vec<u8>,
    at: usize,
}

impl Mask<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'/' if self.next_is(b"//") => self.line_comment(),
                b'/' if self.next_is(b"/*") => self.block_comment(),
                b'"' => self.string(),
                b'r' if self.starts_a_word() => self.raw_string(),
                b'b' if self.starts_a_word() && self.next_is(b"br") => {
                    self.at += 1;
                    self.raw_string();
                }
                b'\'' => self.character_or_lifetime(),
                _ => self.at += 1,
            }
        }
    }

    fn next_is(&self, what: &[u8]) -> bool {
        self.text[self.at..].starts_with(what)
    }

    fn starts_a_word(&self) -> bool {
        self.at == 0 || !is_word(self.text[self.at - 1])
    }

    fn line_comment(&mut self) {
        let end = self.text[self.at..].iter().position(|&b| b == b'\n').map_or(self.text.len(), |n| self.at + n);
        self.blank_to(end);
    }

    fn block_comment(&mut self) {
        let (mut end, mut depth) = (self.at, 0);
        while end < self.text.len() {
            match &self.text[end..] {
                [b'/', b'*', ..] => (end, depth) = (end + 2, depth + 1),
                [b'*', b'/', ..] => (end, depth) = (end + 2, depth - 1),
                _ => end += 1,
            }
            if depth == 0 {
                break;
            }
        }
        self.blank_to(end);
    }

    fn string(&mut self) {
        let mut end = self.at + 1;
        while end < self.text.len() && self.text[end] != b'"' {
            end += if self.text[end] == b'\\' { 2 } else { 1 };
        }
        self.blank_inside(end + 1, 1);
    }

    /// At an `r`: `r"…"`, `r#"…"#`, or only a word that begins with r.
    fn raw_string(&mut self) {
        let hashes = self.text[self.at + 1..].iter().take_while(|&&b| b == b'#').count();
        let open = self.at + 1 + hashes;
        if self.text.get(open) != Some(&b'"') {
            self.at += 1;
            return;
        }
        let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
        let body = open + 1;
        let length = self.text[body..].windows(close.len()).position(|w| w == close);
        self.at = open;
        self.blank_inside(length.map_or(self.text.len(), |n| body + n + close.len()), close.len());
    }

    /// `'x'`, `'\n'`, `'é'` are characters; `'a` without a closing quote is a lifetime.
    fn character_or_lifetime(&mut self) {
        let rest = &self.text[self.at + 1..];
        let length = match rest {
            [b'\\', _, tail @ ..] => tail.iter().position(|&b| b == b'\'').map(|n| n + 2),
            [first, ..] => {
                let width = utf8_width(*first);
                (rest.get(width) == Some(&b'\'')).then_some(width)
            }
            [] => None,
        };
        match length {
            Some(length) => self.blank_inside(self.at + 1 + length + 1, 1),
            None => self.at += 1,
        }
    }

    /// Blanks from after the opening quote, which is here, to before the `closing` last bytes; goes on at `end`.
    fn blank_inside(&mut self, end: usize, closing: usize) {
        let end = end.min(self.text.len());
        blank(&mut self.out, self.at + 1, end.saturating_sub(closing));
        self.at = end;
    }

    fn blank_to(&mut self, end: usize) {
        blank(&mut self.out, self.at, end);
        self.at = end;
    }
}

fn blank(out: &mut [u8], start: usize, end: usize) {
    let end = end.min(out.len());
    if start < end {
        out[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn utf8_width(first: u8) -> usize {
    match first {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_go_and_code_stays_where_it_was() {
        let text = "let a = \"Instant::now\"; // Instant::now\n/* /* File */ File */ let b = 'x';";
        let code = code_only(text);
        assert_eq!(code.len(), text.len());
        assert!(!code.contains("Instant") && !code.contains("File") && !code.contains('x'));
        assert_eq!(code.find("let b"), text.find("let b"));
    }

    #[test]
    fn raw_strings_escapes_and_lifetimes_are_understood() {
        let code =
            code_only(r##"f(r#"a " File"#, "\" File", '"', '\'', b"File", br"File"); fn g<'a>(x: &'a File) {}"##);
        assert_eq!(code.matches("File").count(), 1);
        assert!(code.contains("fn g<'a>(x: &'a File) {}"));
    }

    #[test]
    fn text_that_ends_in_the_middle_of_a_literal_is_no_trouble() {
        for text in ["\"abc\\", "r#\"abc", "/* abc", "'", "'\\", "b", "r", "br#", "'é"] {
            assert_eq!(code_only(text).len(), text.len(), "{text}");
        }
    }

    #[test]
    fn test_items_go_and_what_follows_stays() {
        let code =
            "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { File }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
        let left = without_tests(code);
        assert!(left.contains("fn a") && left.contains("fn c") && left.contains("fn d"));
        assert!(!left.contains("File") && !left.contains("more"));
        assert_eq!(left.lines().count(), code.lines().count());
    }

    #[test]
    fn modules_of_tests_in_files_of_their_own_are_named() {
        assert_eq!(
            test_modules("#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod net;\nmod real;"),
            ["tests", "net"]
        );
        assert!(test_modules("#[cfg(test)]\nmod tests { mod x; }").is_empty());
    }
}
