//! Dialogs: RFC 3261 §12, RFC 3262 and RFC 4028.
