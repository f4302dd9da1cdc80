/// Registers a profile type, so that the host (or the plugin that this crate becomes) finds it by its name.
///
/// See [`AuthProfile`](crate::AuthProfile) for an example.
#[macro_export]
macro_rules! register_profile {
    ($profile:ty) => {
        $crate::__private::inventory::submit! { $crate::ProfileType::of::<$profile>() }
        $crate::__note!(
            $crate::abi::note::TYPE,
            [<$profile as $crate::AuthProfile>::TYPE, <$profile as $crate::AuthProfile>::SUMMARY]
        );
    };
}

/// Makes this crate's `.so` a plugin: everything registered in it becomes the file's types.
///
/// Call it once, in the plugin's `lib.rs`; the crate's type is `cdylib`. `panic = "abort"` is refused, because the
/// guard that keeps a panic inside its profile needs unwinding.
///
/// ```
/// countersign::export_plugin!();
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_plugin {
    () => {
        #[cfg(panic = "abort")]
        ::core::compile_error!(
            "a Countersign plugin needs `panic = \"unwind\"`: with `abort`, a panic would end the host"
        );

        #[doc(hidden)]
        #[allow(clippy::borrow_interior_mutable_const)]
        #[unsafe(export_name = "countersign_plugin")]
        pub static COUNTERSIGN_PLUGIN: $crate::abi::LibHeader = $crate::abi::HEADER;

        $crate::__note!(
            $crate::abi::note::PLUGIN,
            [
                $crate::abi::VERSION,
                ::core::env!("CARGO_PKG_NAME"),
                ::core::env!("CARGO_PKG_VERSION"),
                ::core::env!("CARGO_PKG_DESCRIPTION"),
                $crate::SDK_VERSION
            ]
        );
    };
}

/// Makes this crate's program a plugin: everything registered in it becomes the types of the executable.
///
/// ```no_run
/// countersign::plugin_main!();
/// ```
#[macro_export]
macro_rules! plugin_main {
    () => {
        fn main() -> ::std::io::Result<()> {
            $crate::respondent::answer_on_stdio(
                ::core::env!("CARGO_PKG_NAME"),
                ::core::env!("CARGO_PKG_VERSION"),
                ::core::env!("CARGO_PKG_DESCRIPTION"),
            )
        }
    };
}

/// Puts a note into the section by which a plugin file is judged.
#[doc(hidden)]
#[macro_export]
macro_rules! __note {
    ($kind:expr, [$($text:expr),*]) => {
        const _: () = {
            const TEXTS: &[&str] = &[$($text),*];
            const LEN: usize = $crate::abi::note::joined_len(TEXTS);
            #[used]
            #[unsafe(link_section = ".note.countersign")]
            static NOTE: $crate::abi::note::Note<LEN> = $crate::abi::note::Note::new($kind, TEXTS);
        };
    };
}
