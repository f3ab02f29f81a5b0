//! The manifest as a section of the binary, where `cargo lathe inspect` finds it without running anything.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

/// The section's name in an ELF file; a Mach-O file calls it `__lathe`, in the segment `__DATA`.
pub const SECTION: &str = ".lathe.manifest";

/// The manifest's bytes in their section, and as text for the engine itself.
pub fn of(manifest: &str, build: &Ident) -> TokenStream {
    let (len, bytes) = (manifest.len(), Literal::byte_string(manifest.as_bytes()));
    let len = Literal::usize_unsuffixed(len);
    quote! {
        impl #build {
            /// What this engine was built from, as JSON.
            pub fn manifest() -> &'static str {
                #[used]
                #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = #SECTION))]
                #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__lathe"))]
                static MANIFEST: [u8; #len] = *#bytes;
                ::core::str::from_utf8(&MANIFEST).expect("JSON is UTF-8")
            }
        }
    }
}
