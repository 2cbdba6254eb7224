//! The state of a model: its tensors by name, in memory and in a safetensors file; and what it is made of, as a table.

mod archive;
mod describe;
mod dict;
mod file;
mod module;
mod whole;

pub use archive::{Archive, StoredTensor};
pub use describe::describe;
pub use dict::StateDict;
pub use module::{LoadReport, ModuleState};
pub use whole::write_whole;
