//! Removes code that is compiled only for tests.

use std::mem;

use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Arm, Attribute, Block, Expr, Field, FieldValue, File, ImplItem, Item, Stmt, Variant};

use super::tokens;

/// Returns a copy of the file without items, statements, fields, variants and arms under `#[test]` and `#[cfg(test)]`.
pub(crate) fn of(whole: &File) -> File {
    let mut file = whole.clone();
    WithoutTests.visit_file_mut(&mut file);
    file
}

/// Whether the attributes limit a definition to test builds: `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        match path.segments.last() {
            Some(last) if last.ident == "test" => true,
            Some(last) if last.ident == "cfg" => match &attribute.meta {
                syn::Meta::List(list) => {
                    let condition = list.tokens.to_string().replace(' ', "");
                    condition == "test" || condition.starts_with("all(test,")
                }
                _ => false,
            },
            _ => false,
        }
    })
}

struct WithoutTests;

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| !is_test(attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_test(attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| match item {
            ImplItem::Const(item) => !is_test(&item.attrs),
            ImplItem::Fn(item) => !is_test(&item.attrs),
            ImplItem::Type(item) => !is_test(&item.attrs),
            ImplItem::Macro(item) => !is_test(&item.attrs),
            _ => true,
        });
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        block.stmts.retain(|statement| match statement {
            Stmt::Local(local) => !is_test(&local.attrs),
            Stmt::Item(item) => !is_test(attributes(item)),
            Stmt::Macro(call) => !is_test(&call.attrs),
            Stmt::Expr(expression, _) => !is_test_expression(expression),
        });
        visit_mut::visit_block_mut(self, block);
    }

    fn visit_fields_named_mut(&mut self, fields: &mut syn::FieldsNamed) {
        retain(&mut fields.named, |field: &Field| !is_test(&field.attrs));
        visit_mut::visit_fields_named_mut(self, fields);
    }

    fn visit_expr_struct_mut(&mut self, literal: &mut syn::ExprStruct) {
        retain(&mut literal.fields, |field: &FieldValue| !is_test(&field.attrs));
        visit_mut::visit_expr_struct_mut(self, literal);
    }

    fn visit_item_enum_mut(&mut self, item: &mut syn::ItemEnum) {
        retain(&mut item.variants, |variant: &Variant| !is_test(&variant.attrs));
        visit_mut::visit_item_enum_mut(self, item);
    }

    fn visit_expr_match_mut(&mut self, expression: &mut syn::ExprMatch) {
        expression.arms.retain(|arm: &Arm| !is_test(&arm.attrs));
        visit_mut::visit_expr_match_mut(self, expression);
    }
}

/// Each of the forty kinds of expression stores its attributes in its own node, so this compares tokens: attributes
/// always come first.
fn is_test_expression(expression: &Expr) -> bool {
    let tokens = tokens::of(expression);
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    tokens.len() > attribute.len() && tokens.iter().zip(attribute).all(|(token, text)| token.text == text)
}

fn retain<T, P: Default>(list: &mut Punctuated<T, P>, keep: impl Fn(&T) -> bool) {
    *list = mem::take(list).into_iter().filter(keep).collect();
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_removed_and_what_follows_stays() {
        let file = syn::parse_file(
            "fn a() {}
            #[cfg(test)] mod tests { fn gone() {} }
            #[cfg(all(test, unix))] use gone::{gone};
            struct S { b: u8, #[cfg(test)] gone: u8 }
            enum E { C, #[cfg(test)] Gone }
            impl S { #[cfg(test)] fn gone() {} fn d() { #[cfg(test)] gone(); let e = S { b, #[cfg(test)] gone }; } }
            #[tokio::test] async fn gone() {}
            #[test] fn gone() {}
            fn f() {}",
        );
        let product = of(&file.expect("Rust"));
        let words: Vec<String> = tokens::of(&product).into_iter().map(|token| token.text).collect();
        for kept in ["a", "b", "C", "d", "e", "f"] {
            assert!(words.iter().any(|word| word == kept), "{kept} is lost in {words:?}");
        }
        assert!(!words.iter().any(|word| word == "Gone" || word == "gone"), "{words:?}");
    }

    #[test]
    fn code_compiled_for_tests_and_others_stays() {
        let file = syn::parse_file("#[cfg(any(test, fuzzing))] mod fuzz {} #[cfg(not(test))] mod real {}");
        assert_eq!(of(&file.expect("Rust")).items.len(), 2);
    }
}
