//! Builds the flashable disk: pinned packages and the binary come in, one
//! image file that boots comes out.
