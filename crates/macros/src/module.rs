//! `#[derive(Module)]`: shows every field of a struct to a visitor, in declaration order.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, GenericParam, Generics, Index, Member, Result,
    Type, TypeParamBound, WherePredicate,
};

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        let message = "#[derive(Module)] takes a struct; for an enum implement Module by hand";
        return Err(Error::new_spanned(&input.ident, message));
    };
    let library = library_path()?;
    let element = element_type(input)?;
    let visits = visits(&data.fields)?;
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #library::Module<#element> for #name #type_generics #where_clause {
            fn visit(&self, visitor: &mut #library::Visitor<'_, #element>) {
                #(#visits)*
                let _ = visitor;
            }
        }
    })
}

/// The crate through which the user reaches the trait: the facade if it is there, else `lexigrad-nn`.
fn library_path() -> Result<TokenStream> {
    for (package, path) in [("lexigrad", quote!(nn)), ("lexigrad-nn", quote!())] {
        match proc_macro_crate::crate_name(package) {
            Ok(proc_macro_crate::FoundCrate::Itself) => {
                let name = format_ident!("{}", package.replace('-', "_"));
                return Ok(join(quote!(::#name), &path));
            }
            Ok(proc_macro_crate::FoundCrate::Name(name)) => {
                let name = format_ident!("{name}");
                return Ok(join(quote!(::#name), &path));
            }
            Err(_) => {}
        }
    }
    let message = "#[derive(Module)] needs lexigrad or lexigrad-nn among the dependencies";
    Err(Error::new(proc_macro2::Span::call_site(), message))
}

fn join(root: TokenStream, path: &TokenStream) -> TokenStream {
    if path.is_empty() {
        root
    } else {
        quote!(#root::#path)
    }
}

/// One visit for each field that is not skipped.
fn visits(fields: &Fields) -> Result<Vec<TokenStream>> {
    let mut visits = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        if module_attribute(&field.attrs)?.skip {
            continue;
        }
        let member = match &field.ident {
            Some(name) => Member::Named(name.clone()),
            None => Member::Unnamed(Index::from(index)),
        };
        let name = match &field.ident {
            Some(name) => name.to_string().trim_start_matches("r#").to_owned(),
            None => index.to_string(),
        };
        visits.push(quote!(visitor.field(#name, &self.#member);));
    }
    Ok(visits)
}

/// The element type of the module.
fn element_type(input: &DeriveInput) -> Result<TokenStream> {
    if let Some(element) = module_attribute(&input.attrs)?.element {
        return Ok(quote!(#element));
    }
    let bound = input.generics.params.iter().find_map(|param| match param {
        GenericParam::Type(param) if param.bounds.iter().any(is_element) => {
            Some(param.ident.clone())
        }
        _ => None,
    });
    let bound = bound.or_else(|| bound_in_where_clause(&input.generics));
    Ok(bound.map_or_else(|| quote!(f32), |name| quote!(#name)))
}

fn bound_in_where_clause(generics: &Generics) -> Option<syn::Ident> {
    let clause = generics.where_clause.as_ref()?;
    clause
        .predicates
        .iter()
        .find_map(|predicate| match predicate {
            WherePredicate::Type(bound) if bound.bounds.iter().any(is_element) => {
                match &bound.bounded_ty {
                    Type::Path(path) => path.path.get_ident().cloned(),
                    _ => None,
                }
            }
            _ => None,
        })
}

fn is_element(bound: &TypeParamBound) -> bool {
    let TypeParamBound::Trait(bound) = bound else {
        return false;
    };
    bound
        .path
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "Element")
}

#[derive(Default)]
struct ModuleAttribute {
    skip: bool,
    element: Option<Type>,
}

fn module_attribute(attributes: &[Attribute]) -> Result<ModuleAttribute> {
    let mut found = ModuleAttribute::default();
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("module"))
    {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                found.skip = true;
                Ok(())
            } else if meta.path.is_ident("element") {
                found.element = Some(meta.value()?.parse()?);
                Ok(())
            } else {
                Err(meta.error("expected `skip` on a field, or `element = f64` on the struct"))
            }
        })?;
    }
    Ok(found)
}
