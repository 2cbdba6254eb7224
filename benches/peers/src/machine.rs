//! On what the figures were measured: the machine, and the versions of all who took part.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Setting {
    pub processor: String,
    pub cores: usize,
    pub memory_bytes: u64,
    pub versions: BTreeMap<String, String>,
}

impl Setting {
    /// This machine, by Linux's account; what is unknown stays empty.
    pub fn new(versions: BTreeMap<String, String>) -> Self {
        let processor = field("/proc/cpuinfo", "model name").unwrap_or_default();
        let memory = field("/proc/meminfo", "MemTotal")
            .and_then(|size| size.strip_suffix(" kB")?.parse::<u64>().ok());
        Self {
            processor,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: memory.unwrap_or(0) * 1024,
            versions,
        }
    }
}

/// The first value of a field in a file of lines `field : value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The version with which a peer in Rust was built.
pub fn built_version(peer: &str) -> Option<&'static str> {
    let package = if peer == "candle" {
        "candle-core"
    } else {
        peer
    };
    let name = format!("name = \"{package}\"");
    let mut lines = include_str!("../Cargo.lock").lines();
    lines.find(|line| *line == name)?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}
