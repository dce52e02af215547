//! The names that a file defines.

use syn::visit::{self, Visit};
use syn::{File, Ident, Item, Visibility};

/// What a definition defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A struct, enum, union, trait, alias, associated type or type parameter.
    Type,
    Variant,
    Module,
    /// A function or method.
    Function,
    /// A constant or static.
    Constant,
    Field,
    /// An argument or a `let`.
    Local,
    Macro,
}

/// One definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) thing: Thing,
    /// From 1.
    pub(crate) line: usize,
    /// `pub` without a restriction. A variant or a trait's method is public if its enum or trait is.
    pub(crate) is_public: bool,
}

/// Returns every definition of the file, in order.
pub(crate) fn of(file: &File) -> Vec<Definition> {
    let mut definitions = Definitions { found: Vec::new(), in_public: false };
    definitions.visit_file(file);
    definitions.found
}

/// The name of an item, or `None` if it has none.
pub(crate) fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The words of a `CamelCase`, `snake_case` or `UPPER_CASE` name, in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        let mut before_was_lower = true;
        for c in part.chars() {
            if words.is_empty() || (c.is_uppercase() && before_was_lower) {
                words.push(String::new());
            }
            before_was_lower = !c.is_uppercase();
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        words.push(String::new());
    }
    words.retain(|word| !word.is_empty());
    words
}

struct Definitions {
    found: Vec<Definition>,
    /// Whether we are inside a public enum or trait.
    in_public: bool,
}

impl Definitions {
    fn push(&mut self, ident: &Ident, thing: Thing, is_public: bool) {
        let name = ident.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name).to_owned();
        self.found.push(Definition { name, thing, line: ident.span().start().line, is_public });
    }

    fn inside(&mut self, is_public: bool, go: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.in_public, is_public);
        go(self);
        self.in_public = outer;
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

impl<'ast> Visit<'ast> for Definitions {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.push(&item.ident, Thing::Type, is_public(&item.vis));
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.push(&item.ident, Thing::Type, is_public(&item.vis));
        self.inside(is_public(&item.vis), |definitions| visit::visit_item_enum(definitions, item));
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.push(&item.ident, Thing::Type, is_public(&item.vis));
        visit::visit_item_union(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.push(&item.ident, Thing::Type, is_public(&item.vis));
        self.inside(is_public(&item.vis), |definitions| visit::visit_item_trait(definitions, item));
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.push(&item.ident, Thing::Type, is_public(&item.vis));
        visit::visit_item_type(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.push(&item.ident, Thing::Module, is_public(&item.vis));
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.push(&item.sig.ident, Thing::Function, is_public(&item.vis));
        visit::visit_item_fn(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.push(&item.ident, Thing::Constant, is_public(&item.vis));
        visit::visit_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.push(&item.ident, Thing::Constant, is_public(&item.vis));
        visit::visit_item_static(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(ident) = &item.ident {
            self.push(ident, Thing::Macro, false);
        }
        visit::visit_item_macro(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.push(&item.sig.ident, Thing::Function, is_public(&item.vis));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.push(&item.ident, Thing::Constant, is_public(&item.vis));
        visit::visit_impl_item_const(self, item);
    }

    fn visit_impl_item_type(&mut self, item: &'ast syn::ImplItemType) {
        self.push(&item.ident, Thing::Type, false);
        visit::visit_impl_item_type(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.push(&item.sig.ident, Thing::Function, self.in_public);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.push(&item.ident, Thing::Constant, self.in_public);
        visit::visit_trait_item_const(self, item);
    }

    fn visit_trait_item_type(&mut self, item: &'ast syn::TraitItemType) {
        self.push(&item.ident, Thing::Type, self.in_public);
        visit::visit_trait_item_type(self, item);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.push(&variant.ident, Thing::Variant, self.in_public);
        visit::visit_variant(self, variant);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(ident) = &field.ident {
            self.push(ident, Thing::Field, is_public(&field.vis));
        }
        visit::visit_field(self, field);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.push(&pattern.ident, Thing::Local, false);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_type_param(&mut self, parameter: &'ast syn::TypeParam) {
        self.push(&parameter.ident, Thing::Type, false);
        visit::visit_type_param(self, parameter);
    }

    fn visit_use_rename(&mut self, rename: &'ast syn::UseRename) {
        if rename.rename != "_" {
            self.push(&rename.rename, Thing::Local, false);
        }
        visit::visit_use_rename(self, rename);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_words() {
        let words = |name: &str| words(name).join(" ");
        assert_eq!(words("CallManager"), "call manager");
        assert_eq!(words("TOP_RUNG"), "top rung");
        assert_eq!(words("come_home2"), "come home2");
        assert_eq!(words("_told"), "told");
        assert_eq!(words("RTPPacket"), "rtppacket");
        assert_eq!(words("board-load"), "board load");
        assert_eq!(words("_"), "");
    }

    #[test]
    fn every_kind_of_definition_is_found_with_its_line() {
        let file = syn::parse_file(
            "pub struct A { pub b: u8 }
            pub enum C { D { e: u8 }, F(u8) }
            pub trait G { type H; const I: u8; fn j(k: u8); }
            impl A { pub const L: u8 = 0; fn m(&self) { let (n, Some(o)) = p; } }
            mod q { pub(crate) static R: u8 = 0; }
            type S = fn(u8) -> u8;
            macro_rules! t { () => {} }
            use u as v;
            fn w<X>(r#type: X) {}",
        )
        .expect("Rust");
        let found = of(&file);
        let names = |public: bool| {
            let of_kind = found.iter().filter(|definition| definition.is_public == public);
            of_kind.map(|definition| definition.name.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(true), "A b C D F G H I j L");
        assert_eq!(names(false), "e k m n o q R S t v w X type");
        assert_eq!(found.iter().find(|definition| definition.name == "o").map(|definition| definition.line), Some(4));
    }
}
