//! What the guest's programs share: the device without any care, and checks as lines of output.
#![deny(unsafe_code)]

pub mod device;
pub mod report;
