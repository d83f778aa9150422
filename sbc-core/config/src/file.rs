//! The file as the operator writes it. Nothing is checked here but types.

/// An enum whose variants are words of the file.
pub trait Word: Sized + Copy + 'static {
    /// Every word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];
}
