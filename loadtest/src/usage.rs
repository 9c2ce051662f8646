//! Reads what processes and the machine have used, from /proc (proc(5)).
//!
//! It never samples on its own: whoever measures takes one reading before and one after, and subtracts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use crate::failure::Failure;

/// CPU time of all threads of a process, those that have ended included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// In its own code.
    pub(crate) user: Duration,
    /// In the kernel on its behalf.
    pub(crate) system: Duration,
}

impl Cpu {
    /// What the process has used since it started, in whole [`tick`]s.
    pub(crate) fn of(pid: Pid) -> Result<Cpu, Failure> {
        read(process_file(pid, "stat"), |text| parse_stat(text, tick()))
    }

    /// User and system time together.
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }

    /// What was used between `earlier` and this reading.
    pub(crate) fn since(self, earlier: Cpu) -> Cpu {
        Cpu {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// The step in which the kernel tells CPU time: 10 ms on usual machines.
pub(crate) fn tick() -> Duration {
    Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

/// CPU time that all cores of the machine spent on anything, by anyone; time stolen by the hypervisor counts too.
pub(crate) fn machine_busy() -> Result<Duration, Failure> {
    read(PathBuf::from("/proc/stat"), |text| {
        parse_machine(text, tick())
    })
}

/// Resident memory of a process in bytes, counted page by page: the figure in `status` may be off by some pages a thread.
pub(crate) fn resident(pid: Pid) -> Result<u64, Failure> {
    read(process_file(pid, "smaps_rollup"), parse_resident)
}

/// What the report says of the machine.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    /// Over one, five and fifteen minutes, before the test.
    load_average: String,
}

impl Machine {
    /// The machine this runs on; what it does not tell is `unknown`.
    pub(crate) fn here() -> Machine {
        let line = |path| fs::read_to_string(path).unwrap_or_default();
        let load: Vec<String> = line("/proc/loadavg")
            .split_whitespace()
            .take(3)
            .map(str::to_owned)
            .collect();
        Machine {
            cpu: parse_model(&line("/proc/cpuinfo")).unwrap_or_else(|| "unknown".into()),
            cores: crate::workers::cores().get(),
            kernel: line("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: load.join(" "),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Machine {
            cpu,
            cores,
            kernel,
            load_average,
        } = self;
        write!(
            f,
            "{cpu}, {cores} cores, Linux {kernel}, load before {load_average}"
        )
    }
}

fn process_file(pid: Pid, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

fn read<T>(path: PathBuf, parse: impl Fn(&str) -> Option<T>) -> Result<T, Failure> {
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).ok_or(Failure::Accounting(path)),
        Err(source) => Err(Failure::File { path, source }),
    }
}

/// Fields 14 and 15; the second field, the program's name in brackets, may itself hold spaces and brackets.
fn parse_stat(text: &str, tick: Duration) -> Option<Cpu> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || Some(tick * times.next()?.parse::<u32>().ok()?);
    Some(Cpu {
        user: next()?,
        system: next()?,
    })
}

/// The first line without idle and iowait: user, nice, system, irq, softirq, steal.
fn parse_machine(text: &str, tick: Duration) -> Option<Duration> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map(|field| field.parse().ok())
        .collect::<Option<_>>()?;
    let busy: u64 = [0, 1, 2, 5, 6, 7]
        .into_iter()
        .map(|column: usize| ticks.get(column).copied())
        .sum::<Option<u64>>()?;
    Some(Duration::from_nanos(
        u64::try_from(tick.as_nanos()).ok()?.checked_mul(busy)?,
    ))
}

fn parse_resident(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

fn parse_model(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn a_process_may_have_any_name_and_its_times_are_still_found() {
        for name in ["stub", "a b", "x) R 1 2 (y", ")"] {
            let text = format!("42 ({name}) S 1 42 42 0 -1 4194304 99 0 0 0 157 43 7 8 20 0 3 0");
            let expected = Cpu {
                user: Duration::from_millis(1_570),
                system: Duration::from_millis(430),
            };
            assert_eq!(parse_stat(&text, TICK), Some(expected), "{name}");
        }
    }

    #[test]
    fn text_in_another_form_is_not_read_as_zero() {
        for text in ["", "42 (x) S 1 2", "42 (x) S 1 2 3 4 5 6 7 8 9 10 u s"] {
            assert_eq!(parse_stat(text, TICK), None, "{text}");
        }
        assert_eq!(parse_machine("cpu  1 2 3", TICK), None);
        assert_eq!(parse_resident("Rss: many kB"), None);
        assert_eq!(parse_resident("Pss: 12 kB"), None);
    }

    #[test]
    fn the_machine_is_busy_when_it_neither_idles_nor_waits_for_disks() {
        let text = "cpu  1 2 4 1000 2000 8 16 32 5 5\ncpu0 9 9 9 9 9 9 9 9 9 9\n";
        assert_eq!(parse_machine(text, TICK), Some(TICK * 63));
    }

    #[test]
    fn resident_memory_is_told_in_bytes() {
        let text = "55d0-7ffe ---p 0 00:00 0 [rollup]\nRss:                5120 kB\nPss: 1 kB\n";
        assert_eq!(parse_resident(text), Some(5_120 * 1_024));
    }

    #[test]
    fn this_very_process_can_be_read() {
        let pid = rustix::process::getpid();
        assert!(resident(pid).expect("own memory") > 100_000);
        let before = Cpu::of(pid).expect("own time");
        let after = Cpu::of(pid).expect("own time");
        assert_eq!(before.since(after), Cpu::default());
        assert!(machine_busy().expect("the machine's time") > Duration::ZERO);
    }
}
