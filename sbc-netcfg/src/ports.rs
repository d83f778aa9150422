//! Devices as the file writes them come in (kernel name, MAC address, bus path), what
//! the kernel calls them goes out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where the kernel shows its devices.
const DEVICES: &str = "/sys/class/net";

/// Returns what the kernel calls each of `devices` that is there. A kernel name stands
/// for itself.
#[must_use]
pub fn find<'a>(devices: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    find_in(Path::new(DEVICES), devices)
}

fn find_in<'a>(folder: &Path, devices: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let ports = ports(folder);
    let found = devices.filter_map(|device| {
        let is = |port: &&Port| {
            port.mac.eq_ignore_ascii_case(device)
                || device
                    .strip_prefix("pci-")
                    .is_some_and(|bus| port.bus == bus)
        };
        let port = ports.iter().find(is)?;
        Some((device.to_owned(), port.name.clone()))
    });
    found.collect()
}

/// A port of the machine.
struct Port {
    name: String,
    mac: String,
    bus: String,
}

/// Returns the ports: what has a device behind it. A VLAN has its port's address and
/// no device.
fn ports(folder: &Path) -> Vec<Port> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let port = |entry: fs::DirEntry| {
        let path = entry.path();
        let device = fs::canonicalize(path.join("device")).ok()?;
        // A virtio device lies one below the bus's own.
        let parts = device.iter().rev().filter_map(|part| part.to_str());
        let bus = parts.take(2).find(|part| part.contains(':'));
        Some(Port {
            name: entry.file_name().into_string().ok()?,
            mac: fs::read_to_string(path.join("address"))
                .ok()?
                .trim()
                .to_owned(),
            bus: bus.unwrap_or_default().to_owned(),
        })
    };
    let mut ports: Vec<Port> = entries.filter_map(port).collect();
    ports.sort_by(|one, other| one.name.cmp(&other.name));
    ports
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::find_in;

    #[test]
    fn a_port_is_found_by_its_address_or_its_place_on_the_bus_and_a_vlan_is_none() {
        let root = std::env::temp_dir().join(format!("sbc-ports-{}", std::process::id()));
        let class = root.join("class");
        for (name, mac, device) in [
            ("eth7", "52:54:00:00:00:01", "pci0000:00/0000:00:03.0"),
            (
                "eth8",
                "52:54:00:00:00:02",
                "pci0000:00/0000:00:04.0/virtio1",
            ),
        ] {
            fs::create_dir_all(class.join(name)).unwrap();
            fs::create_dir_all(root.join(device)).unwrap();
            fs::write(class.join(name).join("address"), format!("{mac}\n")).unwrap();
            symlink(root.join(device), class.join(name).join("device")).unwrap();
        }
        fs::create_dir_all(class.join("aaa")).unwrap();
        fs::write(class.join("aaa/address"), "52:54:00:00:00:01\n").unwrap();
        let devices = [
            "52:54:00:00:00:01",
            "pci-0000:00:04.0",
            "enp1s0",
            "pci-0000:00:09.0",
        ];
        let found = find_in(&class, devices.into_iter());
        let names: Vec<_> = found.values().map(String::as_str).collect();
        assert_eq!(names, ["eth7", "eth8"]);
        fs::remove_dir_all(root).unwrap();
    }
}
