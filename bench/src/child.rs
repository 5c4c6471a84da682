//! Parts of workloads that run in a process of their own, because the memory of a whole process is what they measure.

use crate::Result;
use crate::sample::Sample;
use crate::workloads;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a child does with a place on disk.
type Part = fn(&Path) -> Result;

/// What a child can do.
const PARTS: [(&str, Part); 3] =
    [("idle", |_| Ok(())), ("gigabyte", workloads::gigabyte_there_and_back), ("million", workloads::use_of_a_million)];

/// Runs a part in another process and returns the most memory that process ever had in RAM, in bytes.
pub(crate) fn peak_of(part: &str, place: &Path) -> Result<f64> {
    let output = Command::new(env::current_exe()?).arg("--child").arg(part).arg(place).output()?;
    if !output.status.success() {
        return Err(format!("{part}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The other side of it: does the part and prints the peak.
pub(crate) fn run(part: &str, place: &Path) -> Result {
    let (_, act) = PARTS.iter().find(|(name, _)| *name == part).ok_or("no such part")?;
    act(place)?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system does not tell the peak")?;
    let kibibytes: u64 = peak.trim().trim_end_matches("kB").trim().parse()?;
    println!("{}", kibibytes * 1024);
    Ok(())
}

/// What a get of a sample has to return.
pub(crate) fn found(sample: Option<Sample>) -> Result<Sample> {
    sample.ok_or_else(|| "a miss".into())
}
