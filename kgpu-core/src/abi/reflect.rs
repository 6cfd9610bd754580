//! Field lists of ABI structures, so that the golden test and the C header come from the one
//! definition in Rust.

/// One field of an ABI structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// The field's Rust type as written.
    pub ty: &'static str,
    /// Bytes from the start of the structure.
    pub offset: usize,
    /// Bytes of the field.
    pub size: usize,
}

/// The layout of an ABI structure.
pub trait Reflect {
    /// The structure's name.
    const NAME: &'static str;
    /// Bytes of the structure.
    const SIZE: usize;
    /// The fields in memory order.
    const FIELDS: &'static [Field];
}

/// Declares an ABI structure: `repr(C)`, readable from untrusted bytes, of an asserted size,
/// with its field list.
macro_rules! abi_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident [$size:literal] {
            $( $(#[$field_meta:meta])* pub $field:ident: $ty:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $ty, )*
        }
        // zerocopy's IntoBytes already refuses padding; this pins the size itself.
        static_assertions::const_assert_eq!(core::mem::size_of::<$name>(), $size);
        impl $crate::abi::Reflect for $name {
            const NAME: &'static str = stringify!($name);
            const SIZE: usize = $size;
            const FIELDS: &'static [$crate::abi::Field] = &[
                $( $crate::abi::Field {
                    name: stringify!($field),
                    ty: stringify!($ty),
                    offset: core::mem::offset_of!($name, $field),
                    size: core::mem::size_of::<$ty>(),
                }, )*
            ];
        }
    };
}
