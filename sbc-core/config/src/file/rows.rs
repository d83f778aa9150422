//! The rows of a table come in; its raw type, its reader and its part of the
//! schema go out, so that the three cannot differ.

/// Defines a table of the file: raw type, reader, rows of the schema.
///
/// A row reads `"key" field: Type = "default", need;`, its doc comment is what
/// editors and the console show.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $doc:literal])+ $key:literal $field:ident : $type:ty = $default:literal, $need:expr; )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $crate::file::Given<$type>, )*
        }

        impl $name {
            /// The rows of this table.
            pub const SCHEMA: &'static $crate::file::Schema = &$crate::file::Schema {
                about: concat!($($about, "\n"),+),
                keys: &[ $( $crate::file::Key {
                    name: $key,
                    about: concat!($($doc, "\n"),+),
                    shape: <$type as $crate::file::Field>::SHAPE,
                    default: $default,
                    need: { use $crate::file::Need::*; $need },
                } ),* ],
            };

            /// Returns the table with every field broken: nothing is known.
            pub fn unreadable() -> Self {
                Self { $( $field: $crate::file::Given::Broken ),* }
            }

            /// Reads the keys of `table`, whose header or value stands at `span`.
            pub fn read_table(
                table: &$crate::tree::Table,
                span: &$crate::report::Span,
                top: bool,
                report: &mut $crate::report::Report,
            ) -> Self {
                let mut out = if table.broken { Self::unreadable() } else { Self::default() };
                for entry in &table.entries {
                    let mut keys = Self::SCHEMA.keys.iter();
                    let key = keys.find(|key| key.name == entry.key);
                    match (entry.key.as_str(), key) {
                        $( ($key, Some(key)) => {
                            out.$field = $crate::file::read_key(entry, key, report);
                        } )*
                        _ => $crate::file::unknown(entry, Self::SCHEMA, top, report),
                    }
                }
                if !table.broken {
                    $crate::file::missing(Self::SCHEMA, table, span, report);
                }
                out
            }
        }

        impl $crate::file::Field for $name {
            const SHAPE: $crate::file::Shape = $crate::file::Shape::Table(Self::SCHEMA);

            fn read(
                item: &$crate::tree::Item,
                report: &mut $crate::report::Report,
            ) -> Option<Self> {
                let $crate::tree::Value::Table(table) = &item.value else {
                    $crate::file::wrong_type(item, "a table", "", report);
                    return None;
                };
                Some(Self::read_table(table, &item.span, false, report))
            }

            fn inherit(&mut self, base: &Self) {
                $( self.$field.inherit(&base.$field); )*
            }
        }
    };
}
pub(crate) use table;
