//! The first sector of a FAT32 volume comes in, where its parts lie goes out.

use super::Odd;

/// Octets of a sector; the boot loaders take no other.
pub const SECTOR: usize = 512;
/// Where in the first sector the kernel says what state the volume is in.
pub const STATE_AT: usize = 65;
/// It is mounted to be written, or was when its power went (Linux, `fat_set_state`).
pub const DIRTY: u8 = 1;
/// Octets of a table, at most: sixteen times what a boot partition has.
const TABLE_MAX: u64 = 8 << 20;
/// Only one of the tables is written.
const ONE_TABLE: u8 = 0x80;
/// Sectors of a cluster, at most.
const CLUSTER_MAX: u8 = 128;

/// Where the parts of a volume lie, in octets from its start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form {
    /// The first table; the second follows at once.
    pub table: u64,
    /// Octets of one table.
    pub length: u64,
    /// The first cluster, which has the number 2.
    pub data: u64,
    /// Octets of a cluster.
    pub cluster: u64,
    /// The number behind the last cluster.
    pub end: u32,
    /// The first cluster of the first folder.
    pub root: u32,
    /// The sector that counts what is free.
    pub info: u64,
}

impl Form {
    /// Reads it (Microsoft's FAT specification 1.03, "Boot Sector and BPB").
    ///
    /// # Errors
    /// When it is not FAT32 with two tables, or its figures do not fit each other.
    pub fn of(head: &[u8; SECTOR]) -> Result<Self, Odd> {
        let one = |at: usize| head.get(at).copied().unwrap_or_default();
        let half = |at: usize| u64::from(u16::from_le_bytes([one(at), one(at + 1)]));
        let word = |at: usize| half(at) | half(at + 2) << 16;
        let is_fat32 = half(11) == SECTOR as u64 && one(16) == 2 && half(17) == 0 && half(22) == 0;
        // Both tables are in use, the first is the one that is read.
        let is_fat32 = is_fat32 && one(40) & ONE_TABLE == 0;
        let per_cluster = one(13);
        let is_power = per_cluster.is_power_of_two() && per_cluster <= CLUSTER_MAX;
        if half(510) != 0xaa55 || !is_fat32 || !is_power {
            return Err(Odd::Form);
        }
        let sector = SECTOR as u64;
        let (table, length) = (half(14) * sector, word(36) * sector);
        let data = table + 2 * length;
        let cluster = u64::from(per_cluster) * sector;
        let clusters = (word(32) * sector).saturating_sub(data) / cluster;
        let end = u32::try_from(clusters + 2).map_err(|_| Odd::Form)?;
        let fits = table > 0 && length <= TABLE_MAX && u64::from(end) * 4 <= length;
        let root = u32::try_from(word(44)).map_err(|_| Odd::Form)?;
        if !fits || clusters == 0 {
            return Err(Odd::Form);
        }
        Ok(Self {
            table,
            length,
            data,
            cluster,
            end,
            root,
            info: half(48) * sector,
        })
    }

    /// Returns where a cluster lies; its number is in the volume.
    pub fn place(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster.saturating_sub(2)) * self.cluster
    }

    /// Returns whether a cluster with this number is there.
    pub fn has(&self, cluster: u32) -> bool {
        (2..self.end).contains(&cluster)
    }
}
