//! What lab scenes are made of: networks of namespaces, telephones, the node,
//! guests in QEMU.
//! Nothing here shares code with the product, so that it can disagree with it.

pub mod actor;
pub mod firmware;
pub mod flood;
pub mod guest;
pub mod knock;
pub mod lossy;
pub mod net;
pub mod node;
pub mod phone;
pub mod probe;
pub mod programs;
pub mod router;
pub mod scenarios;
pub mod sip;
pub mod sipp;
pub mod slam;
pub mod spray;
pub mod sys;
pub mod tone;
pub mod vswitch;
