//! What a run has used of the machine.

/// The most memory that this process has held, such as `peak memory 87 MiB`; on systems that do not tell (it is read from Linux's
/// `/proc`), `peak memory unknown`.
///
/// ```
/// assert!(lexigrad_text::usage::peak_memory().starts_with("peak memory "));
/// ```
pub fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    match kibibytes {
        Some(kibibytes) => format!("peak memory {} MiB", kibibytes / 1024),
        None => "peak memory unknown".to_owned(),
    }
}
