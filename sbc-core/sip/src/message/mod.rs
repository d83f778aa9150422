//! Frames in, typed values out, and typed values in, bytes out (RFC 3261 §20, §25).
