//! Derive macros of [greenlit](https://docs.rs/greenlit): `FromRow` for structs, `Value` for newtypes.
//!
//! Use them through greenlit, which re-exports both.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result, ext::IdentExt, parse_macro_input};

/// Builds a struct from a row, field by field, by column name.
///
/// A field marked `#[row(flatten)]` is itself built from the same row.
#[proc_macro_derive(FromRow, attributes(row))]
pub fn from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand_from_row(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Lets a tuple struct of one field travel as an argument and come back from a column, as its field would.
#[proc_macro_derive(Value)]
pub fn value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand_value(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand_from_row(input: &DeriveInput) -> Result<proc_macro2::TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "FromRow is for structs"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(input, "FromRow needs named fields: they are the names of the columns"));
    };
    let mut built = Vec::new();
    for field in &fields.named {
        let name = &field.ident;
        let mut flatten = false;
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("row")) {
            attribute.parse_nested_meta(|meta| {
                flatten = meta.path.is_ident("flatten");
                if flatten { Ok(()) } else { Err(meta.error("expected `flatten`")) }
            })?;
        }
        let column = name.as_ref().map(|name| name.unraw().to_string()).unwrap_or_default();
        built.push(if flatten {
            quote!(#name: ::greenlit::FromRow::from_row(row)?)
        } else {
            quote!(#name: row.get(#column)?)
        });
    }
    let (name, (generics, types, bounds)) = (&input.ident, input.generics.split_for_impl());
    Ok(quote! {
        impl #generics ::greenlit::FromRow for #name #types #bounds {
            fn from_row(row: &mut ::greenlit::Row) -> ::greenlit::Result<Self> {
                Ok(Self { #(#built),* })
            }
        }
    })
}

fn expand_value(input: &DeriveInput) -> Result<proc_macro2::TokenStream> {
    let inner = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => &fields.unnamed[0].ty,
            _ => return Err(Error::new_spanned(input, "Value needs exactly one unnamed field")),
        },
        _ => return Err(Error::new_spanned(input, "Value is for newtypes")),
    };
    let name = &input.ident;
    Ok(quote! {
        impl ::core::convert::From<#name> for ::greenlit::Value {
            fn from(value: #name) -> Self {
                ::greenlit::Value::from(value.0)
            }
        }
        impl ::core::convert::From<&#name> for ::greenlit::Value {
            fn from(value: &#name) -> Self {
                ::greenlit::Value::from(value.0.clone())
            }
        }
        impl ::greenlit::FromValue for #name {
            fn from_value(value: ::greenlit::Value) -> ::core::result::Result<Self, ::greenlit::Value> {
                <#inner as ::greenlit::FromValue>::from_value(value).map(Self)
            }
        }
    })
}
