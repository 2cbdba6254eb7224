//! `#[compiled]`: the functions marked, and beside them a constant that names each for `f32` and `f64`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, GenericParam, Generics, ImplItem, Item, ItemFn, ItemImpl, Result, Signature,
    Token, Type, Visibility, parse_quote,
};

const ELEMENTS: [&str; 2] = ["f32", "f64"];

pub fn expand(item: Item, second: &Punctuated<Type, Token![,]>) -> Result<TokenStream> {
    match item {
        Item::Impl(block) if second.is_empty() => Ok(methods(block)),
        Item::Fn(function) => function_alone(function, second),
        other => Err(Error::new_spanned(
            other,
            "#[compiled] stands on a function or an impl block",
        )),
    }
}

fn methods(mut block: ItemImpl) -> TokenStream {
    let of_block = parameters(&block.generics);
    let is_of_trait = block.trait_.is_some();
    let (self_type, interface) = (
        &block.self_ty,
        block.trait_.as_ref().map(|(_, path, _)| path),
    );
    let owner = match interface {
        Some(interface) => quote!(<#self_type as #interface>),
        None => quote!(<#self_type>),
    };
    let mut named = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let is_private = !is_of_trait && matches!(method.vis, Visibility::Inherited);
        if is_private || !may_stand_alone(&method.attrs, &method.sig) {
            continue;
        }
        let name = &method.sig.ident;
        match (&of_block[..], &parameters(&method.sig.generics)[..]) {
            ([element], []) => named.extend(for_each_element(element, &quote!(#owner::#name))),
            ([], [element]) => {
                named.extend(for_each_element(
                    element,
                    &quote!(#owner::#name::<#element>),
                ));
            }
            _ => continue,
        }
        method.attrs.push(parse_quote!(#[inline(never)]));
    }
    let instances = instances(&named);
    quote!(#block #instances)
}

fn function_alone(
    mut function: ItemFn,
    second: &Punctuated<Type, Token![,]>,
) -> Result<TokenStream> {
    let name = &function.sig.ident;
    let parameters = parameters(&function.sig.generics);
    let stands_alone = may_stand_alone(&function.attrs, &function.sig);
    let named: Vec<TokenStream> = match &parameters[..] {
        [element] if stands_alone && second.is_empty() => {
            for_each_element(element, &quote!(#name::<#element>)).into()
        }
        [element, _] if stands_alone && !second.is_empty() => {
            let of_type = |second| for_each_element(element, &quote!(#name::<#element, #second>));
            second.iter().flat_map(of_type).collect()
        }
        _ => {
            let rule = "#[compiled] takes a function whose type parameters are the element type and the one whose types it lists, \
                        without `impl` and `inline`";
            return Err(Error::new_spanned(&function.sig, rule));
        }
    };
    function.attrs.push(parse_quote!(#[inline(never)]));
    let instances = instances(&named);
    Ok(quote!(#function #instances))
}

/// The parameters that are types or constants.
fn parameters(generics: &Generics) -> Vec<Ident> {
    let named = |parameter: &GenericParam| match parameter {
        GenericParam::Type(parameter) => Some(parameter.ident.clone()),
        GenericParam::Const(parameter) => Some(parameter.ident.clone()),
        GenericParam::Lifetime(_) => None,
    };
    generics.params.iter().filter_map(named).collect()
}

/// Whether nobody has said how it is inlined, and no argument hides a type parameter.
fn may_stand_alone(attributes: &[Attribute], signature: &Signature) -> bool {
    let is_inline = |attribute: &Attribute| attribute.path().is_ident("inline");
    !attributes.iter().any(is_inline) && !has_impl(signature.inputs.to_token_stream())
}

fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        _ => false,
    })
}

fn for_each_element(parameter: &Ident, path: &TokenStream) -> [TokenStream; 2] {
    ELEMENTS.map(|element| {
        let element = Ident::new(element, parameter.span());
        replaced(path.clone(), parameter, &element)
    })
}

fn replaced(tokens: TokenStream, parameter: &Ident, element: &Ident) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == *parameter => TokenTree::Ident(element.clone()),
        TokenTree::Group(group) => {
            let inner = replaced(group.stream(), parameter, element);
            TokenTree::Group(Group::new(group.delimiter(), inner))
        }
        other => other,
    };
    tokens.into_iter().map(replace).collect()
}

/// What makes the compiler compile each of these functions. Nothing reads it, so a program keeps only the functions that it calls.
fn instances(named: &[TokenStream]) -> TokenStream {
    let count = named.len();
    quote! {
        const _: () = {
            #[allow(dead_code, reason = "it is there to be compiled")]
            static INSTANCES: [::std::sync::atomic::AtomicPtr<()>; #count] =
                [#(::std::sync::atomic::AtomicPtr::new(#named as *mut ())),*];
        };
    }
}
