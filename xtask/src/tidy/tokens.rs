//! A file as a flat list of tokens: code without comments and without the contents of literals.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// One token. A literal has an empty text. A bracket is a separate token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
}

/// The tokens of a piece of syntax, including macros' arguments.
pub(crate) fn of(syntax: &impl ToTokens) -> Vec<Token> {
    flat(syntax.to_token_stream())
}

/// The tokens of a stream, with groups flattened.
pub(crate) fn flat(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push(stream, &mut tokens);
    tokens
}

/// The lines at which `what`, parsed as Rust tokens, occurs.
pub(crate) fn lines_of(tokens: &[Token], what: &str) -> Vec<usize> {
    let wanted: Vec<String> =
        what.parse::<TokenStream>().map(flat).unwrap_or_default().into_iter().map(|token| token.text).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let here = |window: &&[Token]| window.iter().zip(&wanted).all(|(token, text)| token.text == *text);
    tokens.windows(wanted.len()).filter(here).map(|window| window[0].line).collect()
}

fn push(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(ident) => tokens.push(Token { text: ident.to_string(), line }),
            TokenTree::Punct(punct) => tokens.push(Token { text: punct.as_char().to_string(), line }),
            TokenTree::Literal(_) => tokens.push(Token { text: String::new(), line }),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{", "}"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.into(), line });
                push(group.stream(), tokens);
                tokens.push(Token { text: close.into(), line: group.span_close().end().line });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, what: &str) -> Vec<usize> {
        lines_of(&of(&syn::parse_file(text).expect("Rust")), what)
    }

    #[test]
    fn words_are_found_as_tokens_and_not_in_comments_or_literals() {
        let text = "/// File\nfn f<'a>() {\n  // File\n  let x = \"File\";\n  log!(File, Profile);\n}";
        assert_eq!(found(text, "File"), [5]);
    }

    #[test]
    fn paths_and_calls_are_found_whole() {
        let text = "fn f() {\n  a::b();\n  a::b::c();\n  ab();\n}";
        assert_eq!(found(text, "a::b"), [2, 3]);
        assert_eq!(found(text, "b()"), [2]);
        assert_eq!(found(text, ".b()"), Vec::<usize>::new());
    }
}
