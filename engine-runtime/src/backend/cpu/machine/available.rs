//! How much memory this process can still take: what the machine has, and what its control groups leave it.
//!
//! A container sees the whole machine in `/proc/meminfo`, and is killed at its own limit. Files are looked for below a
//! root, so that tests can lay out a machine of their own.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that could be taken without swapping and without being killed; `None` where nothing can be told.
pub fn available(root: &Path) -> Option<u64> {
    let groups = unified(root).into_iter().chain(legacy(root));
    machine(root).into_iter().chain(groups).min()
}

/// `MemAvailable`: with the page cache, which gives way.
fn machine(root: &Path) -> Option<u64> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// What the groups of version 2 leave, each of which may have a limit.
fn unified(root: &Path) -> Vec<u64> {
    let path = group(root, |controllers| controllers.is_empty());
    folders(&root.join("sys/fs/cgroup"), path)
        .filter_map(|folder| {
            left(
                &folder,
                ["memory.max", "memory.current"],
                ["inactive_file", "active_file"],
            )
        })
        .collect()
}

/// What the groups of version 1 leave.
fn legacy(root: &Path) -> Vec<u64> {
    let path = group(root, |controllers| {
        controllers.split(',').any(|one| one == "memory")
    });
    folders(&root.join("sys/fs/cgroup/memory"), path)
        .filter_map(|folder| {
            left(
                &folder,
                ["memory.limit_in_bytes", "memory.usage_in_bytes"],
                ["total_inactive_file", "total_active_file"],
            )
        })
        .collect()
}

/// The path of this process' group, by its line `number:controllers:path`.
fn group(root: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let path = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        wanted(controllers).then_some(path)
    })?;
    Some(PathBuf::from(path.trim_start_matches('/')))
}

/// The folders from a group up to `top`. A container may see its own group as the top, whatever its path says.
fn folders(top: &Path, group: Option<PathBuf>) -> impl Iterator<Item = PathBuf> {
    let group = group.unwrap_or_default();
    let above: Vec<PathBuf> = group.ancestors().map(|one| top.join(one)).collect();
    above.into_iter()
}

/// What a group's limit leaves; `None` without a limit. Its page cache counts as free, as the machine's does.
fn left(folder: &Path, [limit, usage]: [&str; 2], cached: [&str; 2]) -> Option<u64> {
    let number = |name| -> Option<u64> {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.trim().parse().ok()
    };
    // `max` is no number; version 1 writes a number near 2^63 instead.
    let limit = number(limit).filter(|limit| *limit < 1 << 60)?;
    let usage = number(usage)?;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cache = stat.lines().filter_map(|line| {
        let (name, bytes) = line.split_once(' ')?;
        cached
            .contains(&name)
            .then(|| bytes.trim().parse::<u64>().ok())?
    });
    let cache = cache.fold(0, u64::saturating_add);
    Some(limit.saturating_sub(usage.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// A machine with 8 GiB to give, and these files.
    fn machine_with(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::TempDir::new().unwrap();
        let meminfo = (
            "proc/meminfo",
            "MemTotal: 9 kB\nMemAvailable:    8388608 kB\n",
        );
        for (name, text) in [meminfo].iter().chain(files) {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        available(root.path())
    }

    #[test]
    fn without_groups_the_machine_decides() {
        assert_eq!(machine_with(&[]), Some(8 * GIB));
        let none = [
            ("proc/self/cgroup", "0::/app\n"),
            ("sys/fs/cgroup/app/memory.max", "max\n"),
            ("sys/fs/cgroup/app/memory.current", "1073741824\n"),
        ];
        assert_eq!(machine_with(&none), Some(8 * GIB));
        let broken = [
            ("proc/self/cgroup", "what\n0::\n"),
            ("sys/fs/cgroup/memory.max", "many\n"),
        ];
        assert_eq!(machine_with(&broken), Some(8 * GIB));
    }

    #[test]
    fn a_limit_of_any_group_above_counts() {
        let inner = [
            ("proc/self/cgroup", "0::/pod/app\n"),
            ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/app/memory.current", "0\n"),
            ("sys/fs/cgroup/pod/memory.max", "4294967296\n"),
            ("sys/fs/cgroup/pod/memory.current", "3221225472\n"),
        ];
        assert_eq!(machine_with(&inner), Some(GIB));
        // A container whose group is the top that it sees.
        let namespaced = [
            ("proc/self/cgroup", "0::/../..\n"),
            ("sys/fs/cgroup/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/memory.current", "1073741824\n"),
        ];
        assert_eq!(machine_with(&namespaced), Some(GIB));
    }

    #[test]
    fn the_page_cache_of_a_group_gives_way() {
        let cached = [
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "4294967296\n"),
            ("sys/fs/cgroup/memory.current", "4294967296\n"),
            (
                "sys/fs/cgroup/memory.stat",
                "anon 2147483648\ninactive_file 1073741824\nactive_file 1073741824\nfile 5\n",
            ),
        ];
        assert_eq!(machine_with(&cached), Some(2 * GIB));
        let full = [
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "1\n"),
            ("sys/fs/cgroup/memory.current", "4294967296\n"),
        ];
        assert_eq!(machine_with(&full), Some(0));
    }

    #[test]
    fn groups_of_the_first_version_count_too() {
        let groups = "9:name=systemd:/\n4:cpu,memory:/box/7\n0::/\n";
        let old = [
            ("proc/self/cgroup", groups),
            (
                "sys/fs/cgroup/memory/box/7/memory.limit_in_bytes",
                "3221225472\n",
            ),
            (
                "sys/fs/cgroup/memory/box/7/memory.usage_in_bytes",
                "2147483648\n",
            ),
            (
                "sys/fs/cgroup/memory/box/7/memory.stat",
                "inactive_file 7\ntotal_inactive_file 1073741824\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n"),
        ];
        assert_eq!(machine_with(&old), Some(2 * GIB));
    }
}
