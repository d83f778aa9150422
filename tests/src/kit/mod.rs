//! What lab scenes are made of: networks of namespaces, telephones, the node,
//! guests in QEMU.
//! Nothing here shares code with the product, so that it can disagree with it.

pub mod actor;
pub mod guest;
pub mod net;
pub mod node;
pub mod phone;
pub mod sip;
pub mod sys;
pub mod tone;
